// The probabilities of contacts, from the weighted maps of sequences and the sums of each head's attention.
//
// A block takes ROWS residues of a sequence to all others, COLUMNS at a time. What is added for a pair of residues is
// the same the other way round, in the same order.
#include "contacts.cuh"

constexpr int THREADS = 256, ROWS = 16, COLUMNS = 64, HEADS = 32;
constexpr int ROWS_AT_ONCE = THREADS / COLUMNS, OWN_ROWS = ROWS / ROWS_AT_ONCE;

// maps and contacts: of each sequence of n residues [n, n], one after the other. sums: [heads, T] and factors:
// [heads, sequences], of the heads of all layers.
extern "C" __global__ void contact_map(const float* maps, const float* sums, const float* factors,
                                       const int* cu_seqlens, float* contacts, int n_tokens, int n_heads, float bias) {
  __shared__ float of_rows[HEADS][ROWS], of_columns[HEADS][COLUMNS], of_heads[HEADS];
  int sequence = blockIdx.x, first_row = ROWS * blockIdx.y;
  int n = residues(cu_seqlens, sequence), first_token = cu_seqlens[sequence] + 1;
  if (first_row >= n) return;
  long long start = map_start<THREADS>(cu_seqlens, sequence);
  int tx = threadIdx.x % COLUMNS, ty = threadIdx.x / COLUMNS;

  for (int first_column = 0; first_column < n; first_column += COLUMNS) {
    float products[OWN_ROWS] = {};
    for (int first_head = 0; first_head < n_heads; first_head += HEADS) {
      __syncthreads();
      for (int at = threadIdx.x; at < HEADS * (ROWS + COLUMNS); at += THREADS) {
        int head = at / (ROWS + COLUMNS), i = at % (ROWS + COLUMNS);
        bool is_row = i < ROWS;
        int residue = is_row ? first_row + i : first_column + i - ROWS;
        bool is_there = first_head + head < n_heads && residue < n;
        float sum = is_there ? sums[(long long)(first_head + head) * n_tokens + first_token + residue] : 0.0f;
        if (is_row) of_rows[head][i] = sum;
        else of_columns[head][i - ROWS] = sum;
      }
      if (threadIdx.x < HEADS) {
        int head = first_head + threadIdx.x;
        of_heads[threadIdx.x] = head < n_heads ? factors[head * gridDim.x + sequence] : 0.0f;
      }
      __syncthreads();
#pragma unroll 4
      for (int head = 0; head < HEADS; head++) {
        float of_column = of_columns[head][tx], factor = of_heads[head];
#pragma unroll
        for (int r = 0; r < OWN_ROWS; r++)
          products[r] = fmaf(of_rows[head][ty + ROWS_AT_ONCE * r] * of_column, factor, products[r]);
      }
    }
    int column = first_column + tx;
#pragma unroll
    for (int r = 0; r < OWN_ROWS; r++) {
      int row = first_row + ty + ROWS_AT_ONCE * r;
      if (row >= n || column >= n) continue;
      long long at = start + (long long)row * n + column;
      float symmetric = maps[at] + maps[start + (long long)column * n + row];
      contacts[at] = 1.0f / (1.0f + expf(products[r] - symmetric - bias));
    }
  }
}
