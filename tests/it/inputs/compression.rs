//! Compressed inputs.

use super::{TWO, TWO_ROWS, check, check_stop};
use std::io::Write;

pub fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

pub fn bgzip(text: &[u8]) -> Vec<u8> {
    let mut writer = noodles_bgzf::io::Writer::new(Vec::new());
    writer.write_all(text).unwrap();
    writer.finish().unwrap()
}

fn bzip2(text: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn xz(text: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

pub type Compressor = fn(&[u8]) -> Vec<u8>;

pub const COMPRESSORS: [Compressor; 5] = [gzip, bgzip, zstd, bzip2, xz];

#[test]
fn compressed_text_whatever_its_name() {
    for compress in COMPRESSORS {
        check(&compress(TWO), TWO_ROWS);
    }
}

#[test]
fn compressed_text_of_several_members() {
    for compress in COMPRESSORS {
        check(
            &[compress(&TWO[..11]), compress(&TWO[11..])].concat(),
            TWO_ROWS,
        );
    }
}

#[test]
fn compressed_text_that_is_cut_short() {
    for compress in COMPRESSORS {
        let whole = compress(TWO);
        check_stop(
            &whole[..whole.len() - 3],
            &["`in.fa`", "record", "cut short", "download it again"],
        );
    }
}

#[test]
fn compressed_text_that_is_damaged() {
    // Bytes that do not compress away, so that the damage is in the middle of them.
    let mut state = 1u32;
    let mut letter = || {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        b"LAGVSERTIDPKQNFYMHWC"[(state >> 16) as usize % 20] as char
    };
    let mut text = String::new();
    for n in 0..20_000 {
        text.push_str(&format!(">r{n}\n"));
        text.extend((0..60).map(|_| letter()));
        text.push('\n');
    }
    let tests = ["gzip -t", "gzip -t", "zstd -t", "bzip2 -t", "xz -t"];
    for (compress, test) in COMPRESSORS.into_iter().zip(tests) {
        let mut damaged = compress(text.as_bytes());
        let middle = damaged.len() / 2;
        for byte in &mut damaged[middle..middle + 8] {
            *byte ^= 0x55;
        }
        check_stop(&damaged, &["`in.fa`, ", "record", "damaged", test]);
    }
}

#[test]
fn compressed_text_that_is_padded_with_zeros() {
    for compress in COMPRESSORS {
        check(&[compress(TWO), vec![0; 5000]].concat(), TWO_ROWS);
    }
}

#[test]
fn compressed_text_with_bytes_behind_its_end() {
    for compress in COMPRESSORS {
        for surplus in [&b"garbage"[..], &[b'x'; 100], b"\0\0garbage", b">c\nM\n"] {
            check_stop(
                &[&compress(TWO)[..], surplus].concat(),
                &["`in.fa`", "stand behind the end of the", "appended"],
            );
        }
    }
}

#[test]
fn gzip_and_bgzip_in_one_file() {
    check(&[gzip(&TWO[..11]), bgzip(&TWO[11..])].concat(), TWO_ROWS);
    check_stop(
        &[bgzip(&TWO[..11]), gzip(&TWO[11..])].concat(),
        &["bgzip and gzip data are mixed"],
    );
}

#[test]
fn zstd_of_many_kinds() {
    // pzstd writes a frame that is to be skipped before each frame.
    let skipped = b"\x50\x2a\x4d\x18\x04\0\0\0size";
    let parts = [
        &skipped[..],
        &zstd(&TWO[..11]),
        skipped,
        &zstd(&TWO[11..]),
        skipped,
    ];
    check(&parts.concat(), TWO_ROWS);
    for (window_log, is_read) in [(27, true), (28, false)] {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.long_distance_matching(true).unwrap();
        encoder.window_log(window_log).unwrap();
        encoder.write_all(TWO).unwrap();
        let compressed = encoder.finish().unwrap();
        if is_read {
            check(&compressed, TWO_ROWS);
        } else {
            let pipe = ["a window of more than 128 MiB", "--long", " | "];
            check_stop(&compressed, &pipe);
        }
    }
}

#[test]
fn xz_with_a_large_dictionary() {
    let compress = |bytes: u32| {
        let mut options = liblzma::stream::LzmaOptions::new_preset(0).unwrap();
        options.dict_size(bytes);
        let mut filters = liblzma::stream::Filters::new();
        filters.lzma2(&options);
        let check = liblzma::stream::Check::Crc64;
        let stream = liblzma::stream::Stream::new_stream_encoder(&filters, check).unwrap();
        let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
        encoder.write_all(TWO).unwrap();
        encoder.finish().unwrap()
    };
    // `xz -9` has 64 MiB.
    check(&compress(128 << 20), TWO_ROWS);
    check_stop(
        &compress(192 << 20),
        &["a dictionary of more than 128 MiB", "xz -dc"],
    );
}

#[test]
fn bgzip_blocks_that_lie_about_their_size() {
    for size in [0, 1, 20, 24] {
        let mut file = bgzip(TWO);
        file[16..18].copy_from_slice(&u16::to_le_bytes(size));
        let says = format!("says that it has {} bytes", size + 1);
        check_stop(&file, &["`in.fa`", "the bgzip data are damaged", &says]);
    }
}
