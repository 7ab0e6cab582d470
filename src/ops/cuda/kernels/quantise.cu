// The rows of `x`, [n_rows, width], as signed bytes, with a scale a row in `scales`; a warp a row, which it keeps in
// registers, so x is read once. From Rust: NUMBER, and PACKS, the number of 16-byte packs that a lane holds at most.
#include "common.cuh"
#include "bytes.cuh"

extern "C" __global__ void quantise(const NUMBER* x, unsigned char* y, float* scales, int n_rows, int n_packs) {
  constexpr int SIZE = Pack<NUMBER>::SIZE;
  int row = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP, lane = threadIdx.x % WARP;
  if (row >= n_rows) return;
  const Pack<NUMBER>* source = reinterpret_cast<const Pack<NUMBER>*>(x) + (long long)row * n_packs;
  Bytes<NUMBER>* target = reinterpret_cast<Bytes<NUMBER>*>(y) + (long long)row * n_packs;

  Pack<NUMBER> held[PACKS];
  unsigned greatest = 0;
#pragma unroll
  for (int p = 0; p < PACKS; p++) {
    int pack = p * WARP + lane;
    if (pack < n_packs) {
      held[p] = source[pack];
#pragma unroll
      for (int i = 0; i < SIZE; i++) greatest = max(greatest, magnitude(to_float(held[p].at[i])));
    }
  }
  float top = warp_greatest(greatest), factor = steps(top);
  if (lane == 0) scales[row] = top / 127.0f;
#pragma unroll
  for (int p = 0; p < PACKS; p++) {
    int pack = p * WARP + lane;
    if (pack < n_packs) {
      Bytes<NUMBER> bytes;
      auto byte = [&](int i) { return nearest(to_float(held[p].at[i]), factor); };
#pragma unroll
      for (int i = 0; i < SIZE; i += 4) bytes.at[i / 4] = low_bytes(byte(i), byte(i + 1), byte(i + 2), byte(i + 3));
      target[pack] = bytes;
    }
  }
}
