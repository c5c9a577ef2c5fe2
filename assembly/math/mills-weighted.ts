// The Mills ratio R(x) = N(-x)/φ(x) for x in [0, 37.5] as a price needs it, over one or two lanes. Separate from mills, which is as good
// everywhere: this one is fitted with the weight that a tail has in a price, and a degree lower for it.
// Degrees (8,9), all coefficients positive (weighted minimax at 40 digits, scaled so that rounding them harms least): N(-x) itself is off by at most 1.3e-16, R relatively by
// 2e-16 at 0 and 1.4e-14 in the far tail, a seventh of what a Greek may be off (tests/numerics/math).
// Even and odd powers go apart: chains half as long, for the processor waits on chains as much as on multiplications.
import { add, constant, div, mul, mulAdd } from "../lane/lane";

const table: usize = memory.data<f64>(
  [
    // numerator
    1.528302302256531e-05, 1.528302302256531e-05, // 0: x^8
    0.0003652898274230342, 0.0003652898274230342, // 16: x^7
    0.004218796536837842, 0.004218796536837842, // 32: x^6
    0.030349008146129966, 0.030349008146129966, // 48: x^5
    0.14784115951679266, 0.14784115951679266, // 64: x^4
    0.49883401217687795, 0.49883401217687795, // 80: x^3
    1.143020779202601, 1.143020779202601, // 96: x^2
    1.6444332142421703, 1.6444332142421703, // 112: x^1
    1.1694475924491847, 1.1694475924491847, // 128: x^0
    // denominator
    1.528302302057307e-05, 1.528302302057307e-05, // 144: x^9
    0.0003652898277594867, 0.0003652898277594867, // 160: x^8
    0.004234079534713686, 0.004234079534713686, // 176: x^7
    0.030714299084233003, 0.030714299084233003, // 192: x^6
    0.15202935727561806, 0.15202935727561806, // 208: x^5
    0.5284531306489497, 0.5284531306489497, // 224: x^4
    1.2825662828207158, 1.2825662828207158, // 240: x^3
    2.086355079018094, 2.086355079018094, // 256: x^2
    2.05656133301609, 2.05656133301609, // 272: x^1
    0.933084178683286, 0.933084178683286, // 288: x^0
  ],
  16,
);

/** R(x), x in [0, 37.5]. */
// @ts-ignore: decorator
@inline
export function millsWeighted<T>(x: T): T {
  const z = mul<T>(x, x);
  let qo = constant<T>(table + 144);
  let qe = constant<T>(table + 160);
  let pe = constant<T>(table + 0);
  let po = constant<T>(table + 16);
  qo = mulAdd<T>(qo, z, constant<T>(table + 176));
  qe = mulAdd<T>(qe, z, constant<T>(table + 192));
  pe = mulAdd<T>(pe, z, constant<T>(table + 32));
  po = mulAdd<T>(po, z, constant<T>(table + 48));
  qo = mulAdd<T>(qo, z, constant<T>(table + 208));
  qe = mulAdd<T>(qe, z, constant<T>(table + 224));
  pe = mulAdd<T>(pe, z, constant<T>(table + 64));
  po = mulAdd<T>(po, z, constant<T>(table + 80));
  qo = mulAdd<T>(qo, z, constant<T>(table + 240));
  qe = mulAdd<T>(qe, z, constant<T>(table + 256));
  pe = mulAdd<T>(pe, z, constant<T>(table + 96));
  po = mulAdd<T>(po, z, constant<T>(table + 112));
  qo = mulAdd<T>(qo, z, constant<T>(table + 272));
  qe = mulAdd<T>(qe, z, constant<T>(table + 288));
  pe = mulAdd<T>(pe, z, constant<T>(table + 128));
  return div<T>(mulAdd<T>(po, x, pe), mulAdd<T>(qo, x, qe));
}

/**
 * Stores millsWeighted of two arguments at two addresses, with the same bits as that function: eight chains woven by hand, one load
 * of each constant for both. An inlined function cannot return two values, hence the addresses.
 */
// @ts-ignore: decorator
@inline
export function storeTwoMillsWeighted<T>(x0: T, x1: T, at0: usize, at1: usize): void {
  const z0 = mul<T>(x0, x0);
  const z1 = mul<T>(x1, x1);
  let c = constant<T>(table + 144);
  let qo0 = mul<T>(c, z0);
  let qo1 = mul<T>(c, z1);
  c = constant<T>(table + 160);
  let qe0 = mul<T>(c, z0);
  let qe1 = mul<T>(c, z1);
  c = constant<T>(table + 16);
  let po0 = mul<T>(c, z0);
  let po1 = mul<T>(c, z1);
  c = constant<T>(table + 0);
  let pe0 = mul<T>(c, z0);
  let pe1 = mul<T>(c, z1);
  c = constant<T>(table + 176);
  qo0 = mul<T>(add<T>(qo0, c), z0);
  qo1 = mul<T>(add<T>(qo1, c), z1);
  c = constant<T>(table + 192);
  qe0 = mul<T>(add<T>(qe0, c), z0);
  qe1 = mul<T>(add<T>(qe1, c), z1);
  c = constant<T>(table + 48);
  po0 = mul<T>(add<T>(po0, c), z0);
  po1 = mul<T>(add<T>(po1, c), z1);
  c = constant<T>(table + 32);
  pe0 = mul<T>(add<T>(pe0, c), z0);
  pe1 = mul<T>(add<T>(pe1, c), z1);
  c = constant<T>(table + 208);
  qo0 = mul<T>(add<T>(qo0, c), z0);
  qo1 = mul<T>(add<T>(qo1, c), z1);
  c = constant<T>(table + 224);
  qe0 = mul<T>(add<T>(qe0, c), z0);
  qe1 = mul<T>(add<T>(qe1, c), z1);
  c = constant<T>(table + 80);
  po0 = mul<T>(add<T>(po0, c), z0);
  po1 = mul<T>(add<T>(po1, c), z1);
  c = constant<T>(table + 64);
  pe0 = mul<T>(add<T>(pe0, c), z0);
  pe1 = mul<T>(add<T>(pe1, c), z1);
  c = constant<T>(table + 240);
  qo0 = mul<T>(add<T>(qo0, c), z0);
  qo1 = mul<T>(add<T>(qo1, c), z1);
  c = constant<T>(table + 256);
  qe0 = mul<T>(add<T>(qe0, c), z0);
  qe1 = mul<T>(add<T>(qe1, c), z1);
  c = constant<T>(table + 112);
  po0 = add<T>(po0, c);
  po1 = add<T>(po1, c);
  c = constant<T>(table + 96);
  pe0 = mul<T>(add<T>(pe0, c), z0);
  pe1 = mul<T>(add<T>(pe1, c), z1);
  c = constant<T>(table + 272);
  qo0 = add<T>(qo0, c);
  qo1 = add<T>(qo1, c);
  c = constant<T>(table + 288);
  qe0 = add<T>(qe0, c);
  qe1 = add<T>(qe1, c);
  c = constant<T>(table + 128);
  pe0 = add<T>(pe0, c);
  pe1 = add<T>(pe1, c);
  store<T>(at0, div<T>(mulAdd<T>(po0, x0, pe0), mulAdd<T>(qo0, x0, qe0)));
  store<T>(at1, div<T>(mulAdd<T>(po1, x1, pe1), mulAdd<T>(qo1, x1, qe1)));
}
