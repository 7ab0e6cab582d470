// Rows of `x`, [T, hidden], in a format that is written: `y`, [n_rows, hidden], in dense order.
// Of `cu_seqlens` and `rows` one at most is there. With `cu_seqlens` the rows are those of residues: all of a
// sequence but its first and its last. With `rows` they are those that it names. Else they are the first ones.
// Numbers are rounded to nearest: those that are too large for OUTPUT become infinite, and NaN stays NaN.
// A warp a row. From Rust: NUMBER, OUTPUT, and PACK, how many numbers a thread moves at once.
#include "common.cuh"

template <typename T> struct alignas(sizeof(T) * PACK < 16 ? sizeof(T) * PACK : 16) Some {
  T at[PACK];
};

// The row of the residue with this number. The residues of sequence s begin 2 s rows before its tokens do, so
// its sequence is the last one that begins at or before it.
__device__ __forceinline__ int row_of_residue(int residue, const int* cu_seqlens, int n_sequences) {
  int sequence = 0, behind = n_sequences;
  while (behind - sequence > 1) {
    int middle = (sequence + behind) / 2;
    if (cu_seqlens[middle] - 2 * middle <= residue) sequence = middle;
    else behind = middle;
  }
  return residue + 2 * sequence + 1;
}

extern "C" __global__ void select(const NUMBER* x, const int* cu_seqlens, const int* rows, OUTPUT* y, int n_rows,
                                  int n_packs, int n_sequences) {
  int row = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP;
  if (row >= n_rows) return;
  int from = cu_seqlens ? row_of_residue(row, cu_seqlens, n_sequences) : rows ? rows[row] : row;
  const Some<NUMBER>* source = reinterpret_cast<const Some<NUMBER>*>(x) + (long long)from * n_packs;
  Some<OUTPUT>* target = reinterpret_cast<Some<OUTPUT>*>(y) + (long long)row * n_packs;
  for (int pack = threadIdx.x % WARP; pack < n_packs; pack += WARP) {
    Some<NUMBER> values = source[pack];
    Some<OUTPUT> rounded;
#pragma unroll
    for (int i = 0; i < PACK; i++) rounded.at[i] = from_float<OUTPUT>(to_float(values.at[i]));
    target[pack] = rounded;
  }
}
