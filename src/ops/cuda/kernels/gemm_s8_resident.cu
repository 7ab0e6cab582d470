// y = x W^T of 8-bit numbers for Hopper (sm_90a), where a strip of W fits into shared memory. A cluster of two blocks
// has STRIP columns of y, half of them each, and keeps their part of W. Rows of x come through a ring, and to both
// blocks at once. The first warpgroup of a block loads; the other two take tiles of 128 rows in turn, so that one
// multiplies while the other scales, rounds and stores.
//
// A row's sums are whole numbers, which have no order, and what follows is the same for every row: its bits depend on
// nothing else. x is [t, k] with a scale a row; W is [n, k] with a scale and a bias a channel; y is as Output says.
//
// From Rust: what gemm_s8.cuh names, K_STEPS of STEP_K, N_STAGES of the ring, and SHARED_BYTES.
#include "gemm_s8.cuh"

constexpr int TILE = 128, HALF_STRIP = STRIP / 2;
constexpr u32 STEP_BYTES = TILE * STEP_K;  // of x, and as many of W
static_assert(HALF_STRIP == TILE, "a step of W is as large as one of x");
// Shared memory.
constexpr u32 RING = K_STEPS * STEP_BYTES, SCALES = RING + N_STAGES * STEP_BYTES, BIASES = SCALES + HALF_STRIP * 4,
              GREATEST = BIASES + HALF_STRIP * 4, FULL = GREATEST + 2 * TILE * 4, EMPTY = FULL + N_STAGES * 8,
              WEIGHTS_FULL = EMPTY + N_STAGES * 8, WEIGHTS_EMPTY = WEIGHTS_FULL + K_STEPS * 8,
              GREATEST_FULL = WEIGHTS_EMPTY + 8;
static_assert(GREATEST_FULL + 16 == SHARED_BYTES, "the launch brings as much shared memory as is used");
// What is greatest in a tile overwrites that of the tile two before, which has been read: for a tile to be multiplied
// here, the other block's same warpgroup must have begun with it.
static_assert(K_STEPS > N_STAGES, "a tile does not fit into the ring");
enum { TURN = 1, TILES_DONE = 3 };  // barriers of warps, one for each warpgroup

// The numbers of a thread's four rows in a tile: two of the first 64 rows, two of the others.
struct Numbers {
    int (&low)[64];
    int (&high)[64];
    u32 scales, biases;  // of this thread's columns, in shared memory
    float rows[4];
    DEVICE Channels channels(int j) const { return {load_pair(scales + j * 32), load_pair(biases + j * 32)}; }
    DEVICE float2 operator()(int r, int j, const Channels& c) const {
        int i = j * 4 + r % 2 * 2;
        float x = (float)(r < 2 ? low[i] : high[i]), y = (float)(r < 2 ? low[i + 1] : high[i + 1]);
        return make_float2(fmaf(x * rows[r], c.scale.x, c.bias.x), fmaf(y * rows[r], c.scale.y, c.bias.y));
    }
};

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(THREADS, 1)
    gemm_s8_resident(const __grid_constant__ TensorMap x, const __grid_constant__ TensorMap w,
                     const float* __restrict__ row_scales, const float* __restrict__ channel_scales,
                     const float* __restrict__ bias, const __nv_bfloat16* residual, void* y, float* y_scales, int t,
                     int n) {
    extern __shared__ __align__(1024) unsigned char memory[];
    u32 base = (u32)__cvta_generic_to_shared(memory), block = cluster_rank();
    int group = threadIdx.x / 128, thread = threadIdx.x % 128;
    auto full = [&](u32 step) { return base + FULL + step % N_STAGES * 8; };
    auto empty = [&](u32 step) { return base + EMPTY + step % N_STAGES * 8; };
    auto stage = [&](u32 step) { return base + RING + step % N_STAGES * STEP_BYTES; };
    auto parity = [](u32 step) { return step / N_STAGES % 2; };
    if (threadIdx.x == 0) {
        for (int i = 0; i < N_STAGES; i++) barrier_init(full(i), 1), barrier_init(empty(i), 2);
        for (int i = 0; i < K_STEPS; i++) barrier_init(base + WEIGHTS_FULL + i * 8, 1);
        barrier_init(base + WEIGHTS_EMPTY, 2);
        for (int i = 0; i < 2; i++) barrier_init(base + GREATEST_FULL + i * 8, 1);
        barriers_are_made();
    }
    cluster_sync();
    Work work(blockIdx.x / 2, gridDim.x / 2, n / STRIP, (t + TILE - 1) / TILE);

    if (group == 0) {
        set_registers_down<24>();
        if (thread == 0) {  // x: each block brings half of the rows to both
            u32 step = 0;
            for (int unit = work.begin; unit < work.end; unit++) {
                int row = work.row(unit) * TILE + (int)block * (TILE / 2);
                for (int k = 0; k < K_STEPS; k++, step++) {
                    barrier_wait(empty(step), parity(step) ^ 1);
                    barrier_expect(full(step), STEP_BYTES);
                    load_tile_in_both(stage(step) + block * (STEP_BYTES / 2), &x, full(step), k * STEP_K, row);
                }
            }
        } else if (thread == 32) {  // W, again for each strip
            u32 n_strips = 0;
            for (int unit = work.begin, before = -1; unit < work.end; unit++) {
                int strip = work.strip(unit), column = strip * STRIP + (int)block * HALF_STRIP;
                if (strip == before) continue;
                before = strip;
                if (n_strips > 0) barrier_wait(base + WEIGHTS_EMPTY, (n_strips - 1) % 2);
                n_strips++;
                for (int k = 0; k < K_STEPS; k++) {
                    u32 barrier = base + WEIGHTS_FULL + k * 8;
                    barrier_expect(barrier, STEP_BYTES + (k == 0 ? 2 * HALF_STRIP * 4 : 0));
                    load_tile(base + k * STEP_BYTES, &w, barrier, k * STEP_K, column);
                    if (k > 0) continue;
                    load_bytes(base + SCALES, channel_scales + column, HALF_STRIP * 4, barrier);
                    load_bytes(base + BIASES, bias + column, HALF_STRIP * 4, barrier);
                }
            }
        }
    } else {
        set_registers_up<240>();
        group--;
        int low[64], high[64], before = -1;
        int lane = threadIdx.x % 32, tile_row = thread / 32 * 16 + lane / 4;
        u32 n_tiles = 0, n_strips = 0, n_sent = 0;
        bool is_new = false;  // the strip, to this warpgroup
        for (int unit = work.begin; unit < work.end; unit++, n_tiles++) {
            int strip = work.strip(unit), tile = work.row(unit) * TILE;
            if (strip != before) {
                if (before >= 0) {
                    warps_sync(TILES_DONE + group, 128);
                    if (thread == 0) barrier_arrive(base + WEIGHTS_EMPTY);
                    n_strips++;
                }
                before = strip, is_new = true;
            }
            if (n_tiles % 2 != group) continue;

            int column = strip * STRIP + (int)block * HALF_STRIP;
            if constexpr (THEN == RESIDUAL) {
                const __nv_bfloat16* line = residual + (size_t)(tile + thread) * n + column;
                if (tile + thread < t) prefetch(line), prefetch(line + HALF_STRIP / 2);
            }
            // A parity tells only two neighbouring uses of a stage apart, so the other warpgroup has to have seen all
            // of the tile before.
            if (n_tiles > 0) warps_sync(TURN + group, 256);
            u32 step = n_tiles * K_STEPS;
            for (int k = 0; k < K_STEPS; k++, step++) {
                if (is_new) barrier_wait(base + WEIGHTS_FULL + k * 8, n_strips % 2);
                barrier_wait(full(step), parity(step));
                u64 a = descriptor(stage(step)), b = descriptor(base + k * STEP_BYTES);
                products_begin();
                UNROLL for (int i = 0; i < STEP_K / 32; i++) {
                    multiply(low, a + i * NEXT_K, b + i * NEXT_K, (k | i) != 0);
                    multiply(high, a + i * NEXT_K + NEXT_ROWS, b + i * NEXT_K, (k | i) != 0);
                }
                products_commit();
                if (k == K_STEPS - 1 && unit + 1 < work.end) warps_arrive(TURN + (group ^ 1), 256);
                products_wait<1>();
                if (k > 0 && thread < 2) barrier_arrive_in(thread, empty(step - 1));
            }
            Numbers numbers{low, high, base + SCALES + lane % 4 * 8, base + BIASES + lane % 4 * 8};
            UNROLL for (int r = 0; r < 4; r++)
                numbers.rows[r] = row_scales[min(tile + tile_row + r % 2 * 8 + r / 2 * 64, t - 1)];
            products_wait<0>();
            accumulated(low), accumulated(high);
            if (thread < 2) barrier_arrive_in(thread, empty(step - 1));
            is_new = false;

            Tail<4, HALF_STRIP / 8, Numbers> tail{numbers, {residual, y, y_scales, t, n}, tile + tile_row, column};
            if constexpr (THEN == GELU_BYTES) {
                // The other block has the other half of the strip.
                u32 there = base + GREATEST + (group * TILE + tile_row) * 4;
                u32 barrier = base + GREATEST_FULL + group * 8;
                tail.store_bytes([&](float (&greatest)[4]) {
                    if (thread == 0) barrier_expect(barrier, TILE * 4);
                    UNROLL for (int r = 0; r < 4; r++)
                        if (lane % 4 == r) store_in(block ^ 1, there + tail.below(r) * 4, greatest[r], barrier);
                    barrier_wait_cluster(barrier, n_sent++ % 2);
                    UNROLL for (int r = 0; r < 4; r++) {
                        float other = load_float(there + tail.below(r) * 4);
                        greatest[r] = other > greatest[r] || other != other ? other : greatest[r];
                    }
                });
            } else {
                tail.store_full();
            }
        }
    }
    __syncwarp();
    cluster_sync();  // a block's shared memory has to stay while the other writes there
}
