DROP TABLE `tracked_errors`;
