ALTER TABLE `audit_erasures` DROP COLUMN `signature`;
