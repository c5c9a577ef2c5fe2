// stub
export function priceBatch(request: usize): i32 { return 0; }
