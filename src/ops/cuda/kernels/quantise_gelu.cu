// What GELU made, `x`, [n_rows, width], as bytes that stand for `scale * byte - LEAST`, so that zero is exact: the
// scale is LEAST over a whole number. Each BLOCK columns of a row have a scale in `scales`, [n_rows, blocks]; a warp a
// block of columns. From Rust: NUMBER, and BLOCK.
#include "common.cuh"
#include "bytes.cuh"

extern "C" __global__ void quantise_gelu(const NUMBER* x, unsigned char* y, float* scales, int n_rows, int n_packs,
                                         int n_blocks) {
  constexpr int SIZE = Pack<NUMBER>::SIZE, PACKS = BLOCK / (WARP * SIZE);
  static_assert(PACKS * WARP * SIZE == BLOCK, "a warp holds a block of columns");
  constexpr float LEAST = 0.17f;
  int warp = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP, lane = threadIdx.x % WARP;
  int row = warp / n_blocks, first = warp % n_blocks * PACKS * WARP + lane;
  if (row >= n_rows) return;
  const Pack<NUMBER>* source = reinterpret_cast<const Pack<NUMBER>*>(x) + (long long)row * n_packs;
  Bytes<NUMBER>* target = reinterpret_cast<Bytes<NUMBER>*>(y) + (long long)row * n_packs;

  Pack<NUMBER> held[PACKS];
  // The bits of positive numbers rise with them, and those of NaN are greater than all.
  unsigned greatest = 0;
#pragma unroll
  for (int p = 0; p < PACKS; p++) {
    if (first + p * WARP < n_packs) {
      held[p] = source[first + p * WARP];
#pragma unroll
      for (int i = 0; i < SIZE; i++) {
        float number = to_float(held[p].at[i]);
        if (!(number < 0)) greatest = max(greatest, magnitude(number));
      }
    }
  }
  // The byte of zero: how many steps there are below it.
  float most = warp_greatest(greatest), zero = floorf(255.0f * LEAST / (most + LEAST));
  if (zero < 1) zero = 1;
  float factor = zero * (1 / LEAST);
  if (lane == 0) scales[warp] = LEAST / zero + (most - most);  // NaN, where the greatest is not finite
#pragma unroll
  for (int p = 0; p < PACKS; p++) {
    if (first + p * WARP < n_packs) {
      Bytes<NUMBER> bytes;
      // Behind the sum, f32 has no bits for fractions: the low ones are the whole number.
      auto byte = [&](int i) {
        float steps = __fmaf_rn(to_float(held[p].at[i]), factor, WHOLE + zero);
        return __float_as_uint(fminf(fmaxf(steps, WHOLE), WHOLE + 255));
      };
#pragma unroll
      for (int i = 0; i < SIZE; i += 4) bytes.at[i / 4] = low_bytes(byte(i), byte(i + 1), byte(i + 2), byte(i + 3));
      target[first + p * WARP] = bytes;
    }
  }
}
