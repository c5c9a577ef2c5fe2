// Black–Scholes–Merton, price and five Greeks, as one writes it in C++ with the standard library: what the wasm kernel is measured against.
// Separate from the kernel in every way: it shares no formula's arrangement, no constant and no code with it. Nothing ships it.
// It speaks with bench/kernels/native.ts over its standard streams, everything little-endian as the machine has it: first a
// 64-bit count, that many bytes (1 is a call) and six columns of doubles; then 32-bit words: n > 0 computes the columns n times and
// answers with the nanoseconds that took, as a double; 0 answers with the prices. It ends where its input ends.

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace {

struct Columns {
  std::vector<unsigned char> isCall;
  std::vector<double> spot, strike, time, rate, dividendYield, volatility;
  std::vector<double> price, delta, gamma, vega, theta, rho;
};

double law(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

double density(double x) { return std::exp(-0.5 * x * x) / std::sqrt(2.0 * 3.141592653589793); }

// vega and rho for one percent, theta a day
void compute(Columns& c) {
  for (std::size_t i = 0; i < c.isCall.size(); i++) {
    const double spot = c.spot[i], strike = c.strike[i], time = c.time[i];
    const double rate = c.rate[i], dividendYield = c.dividendYield[i], volatility = c.volatility[i];
    const double sign = c.isCall[i] != 0 ? 1.0 : -1.0;
    const double rootTime = std::sqrt(time);
    const double deviation = volatility * rootTime;
    const double d1 =
        (std::log(spot / strike) + (rate - dividendYield + 0.5 * volatility * volatility) * time) / deviation;
    const double d2 = d1 - deviation;
    const double share = std::exp(-dividendYield * time);
    const double loan = strike * std::exp(-rate * time);
    const double law1 = law(sign * d1), law2 = law(sign * d2);
    const double bell = share * density(d1);
    c.price[i] = sign * (spot * share * law1 - loan * law2);
    c.delta[i] = sign * share * law1;
    c.gamma[i] = bell / (spot * deviation);
    c.vega[i] = spot * bell * rootTime / 100.0;
    c.theta[i] = (sign * (dividendYield * spot * share * law1 - rate * loan * law2) -
                  spot * bell * volatility / (2.0 * rootTime)) /
                 365.0;
    c.rho[i] = sign * time * loan * law2 / 100.0;
  }
}

bool readColumn(std::vector<double>& column, std::size_t count) {
  column.resize(count);
  return std::fread(column.data(), sizeof(double), count, stdin) == count;
}

}  // namespace

int main() {
  std::uint64_t count = 0;
  if (std::fread(&count, sizeof count, 1, stdin) != 1 || count == 0 || count > 1'000'000) return 1;
  Columns c;
  c.isCall.resize(count);
  if (std::fread(c.isCall.data(), 1, count, stdin) != count) return 1;
  for (auto* column : {&c.spot, &c.strike, &c.time, &c.rate, &c.dividendYield, &c.volatility}) {
    if (!readColumn(*column, count)) return 1;
  }
  for (auto* column : {&c.price, &c.delta, &c.gamma, &c.vega, &c.theta, &c.rho}) column->resize(count);
  std::uint32_t calls = 0;
  while (std::fread(&calls, sizeof calls, 1, stdin) == 1) {
    if (calls == 0) {
      std::fwrite(c.price.data(), sizeof(double), count, stdout);
    } else {
      const auto start = std::chrono::steady_clock::now();
      for (std::uint32_t call = 0; call < calls; call++) compute(c);
      const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - start;
      const double nanoseconds = taken.count();
      std::fwrite(&nanoseconds, sizeof nanoseconds, 1, stdout);
    }
    std::fflush(stdout);
  }
  return 0;
}
