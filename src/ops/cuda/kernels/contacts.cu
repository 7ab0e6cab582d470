// The attention of residues to residues in a layer, weighted and added to the maps of sequences, and its sums.
// From Rust: NUMBER; MOST_HEAD_DIM, which head_dim does not exceed; KEYS.
//
// A block takes ROWS residues of a sequence through all heads, KEYS tokens at a time: once for the largest score and
// the normaliser of each row, and once more for the shares. Each number of a map belongs to one thread, which adds
// heads in their order, so its bits follow from the sequence alone. All of it is in f32.
#include "common.cuh"
#include "contacts.cuh"

constexpr int ROWS = 32, THREADS = 256;
// Threads beside each other in a row, and what each has of a row and of rows.
constexpr int ACROSS = 16, COLUMNS = KEYS / ACROSS, OWN_ROWS = ROWS * ACROSS / THREADS;
// One more, so that the same component of neighbouring tokens lies in other banks.
constexpr int STRIDE = MOST_HEAD_DIM + 1;

// Brings `count` tokens of a head from position `first` on, rotated and scaled; zeros beyond the sequence.
__device__ __forceinline__ void bring(float* to, const NUMBER* x, long long width, int first, int count, int length,
                                      const float2* angles, int head_dim, float scale) {
  int half = head_dim / 2;
  for (int at = threadIdx.x; at < count * half; at += THREADS) {
    int row = at / half, i = at % half, position = first + row;
    float low = 0.0f, high = 0.0f;
    if (position < length) {
      const NUMBER* from = x + position * width;
      float a = to_float(from[i]) * scale, b = to_float(from[i + half]) * scale;
      float2 turn = angles[(long long)position * half + i];
      low = a * turn.x - b * turn.y;
      high = b * turn.x + a * turn.y;
    }
    to[row * STRIDE + i] = low;
    to[row * STRIDE + i + half] = high;
  }
}

// A thread's scores: of rows OWN_ROWS * ty + r and keys tx + ACROSS * c.
__device__ __forceinline__ void products(float (&scores)[OWN_ROWS][COLUMNS], const float* queries, const float* keys,
                                         int tx, int ty, int head_dim) {
#pragma unroll
  for (int r = 0; r < OWN_ROWS; r++)
#pragma unroll
    for (int c = 0; c < COLUMNS; c++) scores[r][c] = 0.0f;
#pragma unroll 4
  for (int i = 0; i < head_dim; i++) {
    float query[OWN_ROWS], key[COLUMNS];
#pragma unroll
    for (int r = 0; r < OWN_ROWS; r++) query[r] = queries[(OWN_ROWS * ty + r) * STRIDE + i];
#pragma unroll
    for (int c = 0; c < COLUMNS; c++) key[c] = keys[(tx + ACROSS * c) * STRIDE + i];
#pragma unroll
    for (int r = 0; r < OWN_ROWS; r++)
#pragma unroll
      for (int c = 0; c < COLUMNS; c++) scores[r][c] = fmaf(query[r], key[c], scores[r][c]);
  }
}

// qkv: [T, 3 * hidden]. weights: [heads] of this layer. maps: of each sequence of n residues [n, n], one after the
// other. of_rows: [heads, T], what residues attend to residues with; of_columns: [tiles, heads, T], what the residues
// of a block attend to each residue with. `is_first`: nothing has been written to the maps yet.
extern "C" __global__ void contacts(const NUMBER* qkv, const int* cu_seqlens, const float2* angles,
                                    const float* weights, float* maps, float* of_rows, float* of_columns,
                                    int n_tokens, int n_heads, int head_dim, float scale, int is_first) {
  extern __shared__ float shared[];
  float* queries = shared;
  float* keys = queries + ROWS * STRIDE;
  float* columns = keys + KEYS * STRIDE;

  int sequence = blockIdx.x, tile = blockIdx.y, first_row = ROWS * tile;
  int n = residues(cu_seqlens, sequence), length = n + 2;
  if (first_row >= n) return;
  int first_token = cu_seqlens[sequence];
  float* map = maps + map_start<THREADS>(cu_seqlens, sequence);
  int tx = threadIdx.x % ACROSS, ty = threadIdx.x / ACROSS;
  int hidden = n_heads * head_dim;
  long long width = 3ll * hidden;

  for (int head = 0; head < n_heads; head++) {
    const NUMBER* query = qkv + first_token * width + head * head_dim;
    const NUMBER* key = query + hidden;
    float weight = weights[head];
    bool is_new = is_first && head == 0;
    __syncthreads();
    // BOS comes before the first residue.
    bring(queries, query, width, first_row + 1, ROWS, length, angles, head_dim, scale);

    float scores[OWN_ROWS][COLUMNS], largest[OWN_ROWS], sum[OWN_ROWS], of_row[OWN_ROWS];
#pragma unroll
    for (int r = 0; r < OWN_ROWS; r++) {
      largest[r] = __int_as_float(0xff800000);
      sum[r] = of_row[r] = 0.0f;
    }
    for (int start = 0; start < length; start += KEYS) {
      __syncthreads();
      bring(keys, key, width, start, KEYS, length, angles, head_dim, 1.0f);
      __syncthreads();
      products(scores, queries, keys, tx, ty, head_dim);
#pragma unroll
      for (int r = 0; r < OWN_ROWS; r++)
#pragma unroll
        for (int c = 0; c < COLUMNS; c++) {
          if (start + tx + ACROSS * c >= length) continue;
          float score = scores[r][c];
          if (score > largest[r]) {
            sum[r] = sum[r] * expf(largest[r] - score) + 1.0f;
            largest[r] = score;
          } else {
            sum[r] += expf(score - largest[r]);
          }
        }
    }
#pragma unroll
    for (int r = 0; r < OWN_ROWS; r++) {
      float of_all = largest[r];
#pragma unroll
      for (int distance = ACROSS / 2; distance > 0; distance /= 2)
        of_all = fmaxf(of_all, __shfl_xor_sync(~0u, of_all, distance));
      // A thread without keys has no largest score, and 0 * exp(-inf) is 0.
      sum[r] *= expf(largest[r] - of_all);
#pragma unroll
      for (int distance = ACROSS / 2; distance > 0; distance /= 2)
        sum[r] += __shfl_xor_sync(~0u, sum[r], distance);
      largest[r] = of_all;
      sum[r] = 1.0f / sum[r];
    }

    for (int start = 0; start < length; start += KEYS) {
      __syncthreads();
      bring(keys, key, width, start, KEYS, length, angles, head_dim, 1.0f);
      __syncthreads();
      products(scores, queries, keys, tx, ty, head_dim);
#pragma unroll
      for (int c = 0; c < COLUMNS; c++) {
        float of_column = 0.0f;
        int column = start + tx + ACROSS * c - 1;
#pragma unroll
        for (int r = 0; r < OWN_ROWS; r++) {
          int row = first_row + OWN_ROWS * ty + r;
          if (row >= n || column < 0 || column >= n) continue;
          float share = expf(scores[r][c] - largest[r]) * sum[r];
          float* at = map + (long long)row * n + column;
          *at = is_new ? weight * share : fmaf(weight, share, *at);
          of_row[r] += share;
          of_column += share;
        }
        columns[ty * KEYS + tx + ACROSS * c] = of_column;
      }
      __syncthreads();
      int position = start + threadIdx.x;
      if (threadIdx.x < KEYS && position > 0 && position <= n) {
        float of_column = 0.0f;
#pragma unroll
        for (int y = 0; y < THREADS / ACROSS; y++) of_column += columns[y * KEYS + threadIdx.x];
        of_columns[((long long)tile * n_heads + head) * n_tokens + first_token + position] = of_column;
      }
    }
#pragma unroll
    for (int r = 0; r < OWN_ROWS; r++) {
#pragma unroll
      for (int distance = ACROSS / 2; distance > 0; distance /= 2)
        of_row[r] += __shfl_xor_sync(~0u, of_row[r], distance);
      int row = first_row + OWN_ROWS * ty + r;
      if (tx == 0 && row < n) of_rows[(long long)head * n_tokens + first_token + row + 1] = of_row[r];
    }
  }
}
