// Pooling: the tokens of `x`, [T, hidden], to one f32 vector a sequence, `y`, [n, hidden].
// A sequence is BOS, residues, EOS; all poolings but `cls` run over the residues.
// From Rust: NUMBER, WARPS, and as POOLING the name of one of them.
//
// A block takes one sequence and 32 packs of columns: a lane a pack, a warp every WARPS-th row. The
// order of additions follows from the length of the sequence alone. Sums of BLOCK_ROWS rows are added
// up before they join the total, so that rounding errors grow slowly with the length.
#include "common.cuh"

constexpr int BLOCK_ROWS = 16, SIZE = Pack<NUMBER>::SIZE;
enum class Pooling { mean, max, cls, std };
constexpr bool IS_MEAN = Pooling::POOLING == Pooling::mean, IS_MAX = Pooling::POOLING == Pooling::max;
constexpr bool IS_CLS = Pooling::POOLING == Pooling::cls, IS_STD = Pooling::POOLING == Pooling::std;

// The larger number, or NaN if one is NaN: fmaxf would hide that a model's numbers have overflowed.
__device__ __forceinline__ float larger(float a, float b) { return b > a || b != b ? b : a; }
// -inf as NaN, for the same reason: the largest number would never be it.
__device__ __forceinline__ float visible(float x) {
  return x == __int_as_float(0xff800000) ? __int_as_float(0x7fffffff) : x;
}

// Adds to `total` what `of` makes of every WARPS-th row from `first` on, or raises it to the largest of them.
template <typename Of>
__device__ __forceinline__ void over_rows(float (&total)[SIZE], const NUMBER* x, int pack, int first, int last,
                                          int n_packs, Of of) {
  const Pack<NUMBER>* column = reinterpret_cast<const Pack<NUMBER>*>(x) + pack;
  for (int start = first; start < last; start += WARPS * BLOCK_ROWS) {
    float block[SIZE] = {};
    for (int row = start; row < min(last, start + WARPS * BLOCK_ROWS); row += WARPS) {
      Pack<NUMBER> values = column[(long long)row * n_packs];
#pragma unroll
      for (int i = 0; i < SIZE; i++) {
        float value = of(to_float(values.at[i]), i);
        if (IS_MAX) total[i] = larger(total[i], visible(value));
        else block[i] += value;
      }
    }
#pragma unroll
    for (int i = 0; i < SIZE; i++)
      if (!IS_MAX) total[i] += block[i];
  }
}

extern "C" __global__ void pool(const NUMBER* x, const int* cu_seqlens, float* y, int n_packs) {
  __shared__ float partial[WARPS][WARP][SIZE];
  int sequence = blockIdx.x, lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
  int pack = blockIdx.y * WARP + lane;
  int first = cu_seqlens[sequence] + 1, last = cu_seqlens[sequence + 1] - 1;
  if (IS_CLS) {
    first -= 1;
    last = first + 1;
  }

  float total[SIZE];
#pragma unroll
  for (int i = 0; i < SIZE; i++) total[i] = IS_MAX ? __int_as_float(0xff800000) : 0.0f;
  if (pack < n_packs)
    over_rows(total, x, pack, first + warp, last, n_packs, [](float value, int) { return value; });
#pragma unroll
  for (int i = 0; i < SIZE; i++) partial[warp][lane][i] = total[i];
  __syncthreads();

  if constexpr (IS_STD) {
    // So far it was as for the mean, which every warp needs for the squares of the distances from it.
    float mean[SIZE];
#pragma unroll
    for (int i = 0; i < SIZE; i++) {
      mean[i] = 0.0f;
      for (int w = 0; w < WARPS; w++) mean[i] += partial[w][lane][i];
      mean[i] /= float(last - first);
      total[i] = 0.0f;
    }
    // Nobody writes before all have read.
    __syncthreads();
    if (pack < n_packs)
      over_rows(total, x, pack, first + warp, last, n_packs, [&](float value, int i) {
        float distance = value - mean[i];
        return distance * distance;
      });
#pragma unroll
    for (int i = 0; i < SIZE; i++) partial[warp][lane][i] = total[i];
    __syncthreads();
  }

  if (warp > 0 || pack >= n_packs) return;
  for (int w = 1; w < WARPS; w++) {
#pragma unroll
    for (int i = 0; i < SIZE; i++) {
      float value = partial[w][lane][i];
      total[i] = IS_MAX ? larger(total[i], value) : total[i] + value;
    }
  }
  float* target = y + ((long long)sequence * n_packs + pack) * SIZE;
#pragma unroll
  for (int i = 0; i < SIZE; i++) {
    float mean = total[i] / float(last - first);
    target[i] = IS_STD ? sqrtf(mean) : IS_MEAN ? mean : total[i];
  }
}
