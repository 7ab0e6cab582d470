//! Files for reads, compressed or not.

use crate::fasta::{Input, resolve};
use std::{fs, io::Write};
use tempfile::TempDir;

pub(super) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn bzip2(text: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn xz(text: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn bgzip(text: &[u8], block_bytes: usize) -> Vec<u8> {
    let mut blocks = Vec::new();
    for piece in text.chunks(block_bytes).chain([&b""[..]]) {
        blocks.extend(bgzip_block(piece));
    }
    blocks
}

/// A gzip member with the extra field that tells its length.
fn bgzip_block(text: &[u8]) -> Vec<u8> {
    let member = |length: u16| {
        let extra = [&b"BC\x02\0"[..], &length.to_le_bytes()].concat();
        let builder = flate2::GzBuilder::new().extra(extra);
        let mut encoder = builder.write(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let n_bytes = member(0).len();
    member(u16::try_from(n_bytes - 1).unwrap())
}

pub(super) fn inputs(folder: &TempDir, contents: &[Vec<u8>]) -> Vec<Input> {
    let write = |(n, content): (usize, &Vec<u8>)| {
        let path = folder.path().join(format!("{n}.fa"));
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let sources: Vec<_> = contents.iter().enumerate().map(write).collect();
    resolve(&sources).unwrap()
}
