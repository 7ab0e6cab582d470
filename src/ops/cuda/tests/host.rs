//! What can be tested without a GPU.

use super::super::{attention::Variant, compile::compile};
use burn::tensor::DType;

/// Every kernel, for the oldest GPU and for Hopper.
#[test]
fn every_kernel_compiles() {
    // SAFETY: it only tries to open the library.
    if !unsafe { cudarc::nvrtc::sys::is_culib_present() } {
        // Most machines for development have no NVRTC; .ci/run installs it and says so.
        assert!(
            std::env::var_os("RUNNER_NEEDS_NVRTC").is_none(),
            "NVRTC is missing"
        );
        #[expect(
            clippy::print_stderr,
            reason = "a test that tests nothing has to say so"
        )]
        {
            eprintln!("skipped: there is no NVRTC here to compile the kernels with");
        }
        return;
    }
    for source in super::super::sources() {
        for architecture in ["sm_80", "sm_90a"] {
            if source.file.contains("sm90") && architecture == "sm_80" {
                continue;
            }
            let code = compile(source, architecture).unwrap_or_else(|error| panic!("{error}"));
            assert!(
                code.starts_with(b"\x7fELF"),
                "{} is machine code",
                source.file
            );
        }
    }
}

#[test]
fn work_lists_hold_each_row_once() {
    let lengths = [
        1usize, 2, 63, 64, 65, 127, 128, 129, 191, 192, 193, 4096, 3, 3, 1000,
    ];
    let mut cu_seqlens = vec![0i32];
    for length in lengths {
        cu_seqlens.push(cu_seqlens[cu_seqlens.len() - 1] + length as i32);
    }
    for capability in [(8, 0), (8, 9), (9, 0), (10, 0)] {
        for dtype in [DType::BF16, DType::F16, DType::F32] {
            for head_dim in [4, 16, 24, 32, 64, 128, 256] {
                let variant =
                    Variant::for_capability(capability, dtype, head_dim).expect("a variant");
                let (tiles, counts) = variant.tiles(&cu_seqlens);
                assert_eq!(tiles.len(), counts.iter().sum::<usize>());
                let mut covered = vec![0; *cu_seqlens.last().expect("ends") as usize];
                let mut tiles = tiles.iter();
                for (rows, n) in variant.rows().zip(counts) {
                    for &[start, length, row, _] in tiles.by_ref().take(n) {
                        for row in row..length.min(row + rows as i32) {
                            covered[(start + row) as usize] += 1;
                        }
                    }
                }
                assert!(
                    covered.iter().all(|&n| n == 1),
                    "{capability:?} {dtype:?} {head_dim}"
                );
            }
        }
    }
    assert!(Variant::for_capability((9, 0), DType::BF16, 7).is_err());
    assert!(Variant::for_capability((9, 0), DType::BF16, 300).is_err());
}
