// y = x W^T of 8-bit numbers for Hopper (sm_90a), x and W through a ring. A cluster of two blocks has STRIP columns of
// y and 256 rows, half of them each; each block brings half of W's tile to both. The first warpgroup of a block loads;
// the other two have 64 rows each, and all columns.
//
// Where bytes of x have no sign, x has a scale for each 256 of k, [t, n_steps / 2], and not one a row, [t]. Then whole numbers are added
// up over 256 of k only, which stay under 2^24, and these sums as f32, in the order of k. So the bits of a row depend on
// nothing else. W is [n, k] with a scale and a bias a channel, y as Output says; n is a multiple of 32. Beyond k both
// are zero, up to n_steps * STEP_K.
//
// From Rust: what gemm_s8.cuh names, N_STAGES of the ring, and SHARED_BYTES.
#include "gemm_s8.cuh"

constexpr bool BLOCKS = !ROWS_SIGNED;
constexpr int TILE = 128, PAIRS = STRIP / 8;
constexpr u32 X_BYTES = TILE * STEP_K, W_BYTES = STRIP * STEP_K, STEP_BYTES = X_BYTES + W_BYTES;
constexpr u32 FULL = N_STAGES * STEP_BYTES, EMPTY = FULL + N_STAGES * 8;
static_assert(EMPTY + N_STAGES * 8 == SHARED_BYTES, "the launch brings as much shared memory as is used");
static_assert(N_STAGES == 4, "two blocks of 256 of k");
enum { TURN = 1 };  // barriers of warps, one for each warpgroup

// The numbers of a thread's two rows in a tile: sums, as s32 or, of blocks, as f32.
template <typename Sum> struct Numbers {
    Sum (&sums)[STRIP / 2];
    const float *scales, *biases;  // of all channels
    float rows[2];
    int column, n;  // the first one of the strip
    DEVICE Channels channels(int j) const {
        int at = min(column + j * 8, n - 8) + threadIdx.x % 4 * 2;
        return {*reinterpret_cast<const float2*>(scales + at), *reinterpret_cast<const float2*>(biases + at)};
    }
    DEVICE float2 operator()(int r, int j, const Channels& c) const {
        float x = (float)sums[j * 4 + r * 2], y = (float)sums[j * 4 + r * 2 + 1];
        if (!BLOCKS) x *= rows[r], y *= rows[r];
        return make_float2(fmaf(x, c.scale.x, c.bias.x), fmaf(y, c.scale.y, c.bias.y));
    }
};

template <typename Sum> DEVICE void store(const Numbers<Sum>& numbers, const Output& to, int row) {
    Tail<2, PAIRS, Numbers<Sum>> tail{numbers, to, row, numbers.column};
    if constexpr (THEN == GELU_BYTES) tail.store_bytes([](float (&)[2]) {});  // the block has the whole strip
    else tail.store_full();
}

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(THREADS, 1)
    gemm_s8_streamed(const __grid_constant__ TensorMap x, const __grid_constant__ TensorMap w,
                     const float* __restrict__ row_scales, const float* __restrict__ channel_scales,
                     const float* __restrict__ bias, const __nv_bfloat16* residual, void* y, float* y_scales, int t,
                     int n, int n_steps) {
    extern __shared__ __align__(1024) unsigned char memory[];
    u32 base = (u32)__cvta_generic_to_shared(memory), block = cluster_rank();
    int group = threadIdx.x / 128, thread = threadIdx.x % 128;
    auto full = [&](u32 step) { return base + FULL + step % N_STAGES * 8; };
    auto empty = [&](u32 step) { return base + EMPTY + step % N_STAGES * 8; };
    auto stage = [&](u32 step) { return base + step % N_STAGES * STEP_BYTES; };
    auto parity = [](u32 step) { return step / N_STAGES % 2; };
    if (threadIdx.x == 0) {
        for (int i = 0; i < N_STAGES; i++) barrier_init(full(i), 1), barrier_init(empty(i), 4);
        barriers_are_made();
    }
    cluster_sync();
    Work work(blockIdx.x / 2, gridDim.x / 2, (n + STRIP - 1) / STRIP, (t + 2 * TILE - 1) / (2 * TILE));

    if (group == 0) {
        set_registers_down<24>();
        if (thread == 0) {
            u32 step = 0;
            for (int unit = work.begin; unit < work.end; unit++) {
                int row = (work.row(unit) * 2 + (int)block) * TILE, column = work.strip(unit) * STRIP;
                for (int k = 0; k < n_steps; k++, step++) {
                    barrier_wait(empty(step), parity(step) ^ 1);
                    barrier_expect(full(step), STEP_BYTES);
                    u32 to = stage(step);
                    load_tile(to, &x, full(step), k * STEP_K, row);
                    load_tile(to + X_BYTES / 2, &x, full(step), k * STEP_K, row + TILE / 2);
                    load_tile_in_both(to + X_BYTES + block * (W_BYTES / 2), &w, full(step), k * STEP_K,
                                      column + (int)block * (STRIP / 2));
                }
            }
        }
    } else {
        set_registers_up<240>();
        group--;
        u32 step = 0;
        int lane = threadIdx.x % 32;
        if (BLOCKS && group == 1) warps_arrive(TURN, 256);
        for (int unit = work.begin; unit < work.end; unit++) {
            int tile = (work.row(unit) * 2 + (int)block) * TILE + group * 64, column = work.strip(unit) * STRIP;
            int row = tile + thread / 32 * 16 + lane / 4, rows[2] = {min(row, t - 1), min(row + 8, t - 1)};
            if constexpr (THEN == RESIDUAL) {
                int at = column + thread % 2 * (STRIP / 2);
                const __nv_bfloat16* line = residual + (size_t)(tile + thread / 2) * n + at;
                if (tile + thread / 2 < t && at < n) {
                    prefetch(line);
                    if (at + STRIP / 4 < n) prefetch(line + STRIP / 4);
                }
            }
            Output to{residual, y, y_scales, t, n};
            if constexpr (!BLOCKS) {
                int sums[STRIP / 2];
                for (int k = 0; k < n_steps; k++, step++) {
                    barrier_wait(full(step), parity(step));
                    u64 a = descriptor(stage(step)) + group * NEXT_ROWS, b = descriptor(stage(step) + X_BYTES);
                    products_begin();
                    UNROLL for (int i = 0; i < STEP_K / 32; i++)
                        multiply(sums, a + i * NEXT_K, b + i * NEXT_K, (k | i) != 0);
                    products_commit();
                    products_wait<1>();
                    if (k > 0 && thread < 2) barrier_arrive_in(thread, empty(step - 1));
                }
                float scale[2] = {row_scales[rows[0]], row_scales[rows[1]]};
                Numbers<int> numbers{sums, channel_scales, bias, {scale[0], scale[1]}, column, n};
                products_wait<0>();
                accumulated(sums);
                if (thread < 2) barrier_arrive_in(thread, empty(step - 1));
                store(numbers, to, row);
            } else {
                // s32 of half of the columns at a time, so that all f32 have room. The warpgroups issue products in
                // turn: while one adds up, the other multiplies.
                float sums[STRIP / 2], next[2];
                int part[STRIP / 4], n_blocks = n_steps / 2;
                UNROLL for (int i = 0; i < STRIP / 2; i++) sums[i] = 0;
                UNROLL for (int r = 0; r < 2; r++) next[r] = row_scales[rows[r] * n_blocks];
                for (int k = 0; k < n_blocks; k++, step += 2) {
                    float scale[2] = {next[0], next[1]};
                    if (k + 1 < n_blocks) {
                        UNROLL for (int r = 0; r < 2; r++) next[r] = row_scales[rows[r] * n_blocks + k + 1];
                    }
                    u64 a = descriptor(stage(step)) + group * NEXT_ROWS, b = descriptor(stage(step) + X_BYTES);
                    UNROLL for (int half = 0; half < 2; half++) {
                        warps_sync(TURN + group, 256);
                        if (half == 0) {
                            barrier_wait(full(step), parity(step));
                            barrier_wait(full(step + 1), parity(step));
                        }
                        products_begin();
                        UNROLL for (int i = 0; i < 2 * STEP_K / 32; i++) {
                            int further = i / 4 * (STEP_BYTES / 16) + i % 4 * NEXT_K;
                            multiply(part, a + further, b + further + half * 2 * NEXT_ROWS, i != 0);
                        }
                        products_commit();
                        warps_arrive(TURN + (group ^ 1), 256);
                        products_wait<0>();
                        accumulated(part);
                        if (half == 1 && thread < 4) barrier_arrive_in(thread % 2, empty(step + thread / 2));
                        UNROLL for (int i = 0; i < STRIP / 4; i++) {
                            float& sum = sums[half * (STRIP / 4) + i];
                            sum = fmaf((float)part[i], scale[i % 4 / 2], sum);
                        }
                    }
                }
                store(Numbers<float>{sums, channel_scales, bias, {}, column, n}, to, row);
            }
        }
        if (BLOCKS && group == 0) warps_sync(TURN, 256);
    }
    __syncwarp();
    cluster_sync();  // a block's shared memory has to stay while the other writes there
}
