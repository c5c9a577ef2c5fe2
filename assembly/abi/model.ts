// Which model a request asks for. Separate so that a new model is one row here, one file in models/ and one case in batch/.
// Ids are only ever added.

export const modelBlackScholesMerton: i32 = 0;
