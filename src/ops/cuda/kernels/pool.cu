// Pooling: the tokens of `x`, [T, hidden], to one f32 vector a sequence, `y`, [n, hidden].
// A sequence is BOS, residues, EOS; mean and max run over the residues.
//
// A block takes one sequence and 32 packs of columns: a lane a pack, a warp every WARPS-th row. The
// order of additions follows from the length of the sequence alone. Sums of BLOCK_ROWS rows are added
// up before they join the total, so that rounding errors grow slowly with the length.
constexpr int WARPS = 8, BLOCK_ROWS = 16;
enum Pooling { MEAN, MAX, CLS };

// The larger number, or NaN if one is NaN: fmaxf would hide that a model's numbers have overflowed.
__device__ __forceinline__ float larger(float a, float b) { return b > a || b != b ? b : a; }
// -inf as NaN, for the same reason: the largest number would never be it.
__device__ __forceinline__ float visible(float x) {
  return x == __int_as_float(0xff800000) ? __int_as_float(0x7fffffff) : x;
}

template <typename T, Pooling POOLING>
__device__ void pool(const T* x, const int* cu_seqlens, float* y, int n_packs) {
  constexpr int SIZE = Pack<T>::SIZE;
  __shared__ float partial[WARPS][WARP][SIZE];
  int sequence = blockIdx.x, lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
  int pack = blockIdx.y * WARP + lane;
  int first = cu_seqlens[sequence] + 1, last = cu_seqlens[sequence + 1] - 1;
  if (POOLING == CLS) {
    first -= 1;
    last = first + 1;
  }

  float total[SIZE];
#pragma unroll
  for (int i = 0; i < SIZE; i++) total[i] = POOLING == MAX ? __int_as_float(0xff800000) : 0.0f;
  if (pack < n_packs) {
    const Pack<T>* column = reinterpret_cast<const Pack<T>*>(x) + pack;
    for (int start = first + warp; start < last; start += WARPS * BLOCK_ROWS) {
      float block[SIZE] = {};
      for (int row = start; row < min(last, start + WARPS * BLOCK_ROWS); row += WARPS) {
        Pack<T> values = column[(long long)row * n_packs];
#pragma unroll
        for (int i = 0; i < SIZE; i++) {
          float value = to_float(values.at[i]);
          if (POOLING == MAX) total[i] = larger(total[i], visible(value));
          else block[i] += value;
        }
      }
#pragma unroll
      for (int i = 0; i < SIZE; i++)
        if (POOLING != MAX) total[i] += block[i];
    }
  }
#pragma unroll
  for (int i = 0; i < SIZE; i++) partial[warp][lane][i] = total[i];
  __syncthreads();
  if (warp > 0 || pack >= n_packs) return;
  for (int w = 1; w < WARPS; w++) {
#pragma unroll
    for (int i = 0; i < SIZE; i++) {
      float value = partial[w][lane][i];
      total[i] = POOLING == MAX ? larger(total[i], value) : total[i] + value;
    }
  }
  float* target = y + ((long long)sequence * n_packs + pack) * SIZE;
#pragma unroll
  for (int i = 0; i < SIZE; i++) target[i] = POOLING == MEAN ? total[i] / float(last - first) : total[i];
}

#define POOL(NAME, T, SUFFIX, POOLING)                                                                   \
  extern "C" __global__ void pool_##NAME##_##SUFFIX(const T* x, const int* cu_seqlens, float* y,        \
                                                    int n_packs) {                                      \
    pool<T, POOLING>(x, cu_seqlens, y, n_packs);                                                        \
  }
#define POOLS(NAME, T) POOL(NAME, T, mean, MEAN) POOL(NAME, T, max, MAX) POOL(NAME, T, cls, CLS)
POOLS(f32, float)
POOLS(f16, __half)
POOLS(bf16, __nv_bfloat16)
