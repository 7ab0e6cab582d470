//! What stands before the first record of a file, and whether the file is FASTA at all.

use super::error::Fault;
use std::io::{self, BufRead};

/// Skips a byte order mark and blank lines before the first record. The inner result tells what the
/// text is, if it is not FASTA.
pub(super) fn find_beginning(section: &mut impl BufRead) -> io::Result<Result<(), Fault>> {
    const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
    if section.fill_buf()?.starts_with(BYTE_ORDER_MARK) {
        section.consume(BYTE_ORDER_MARK.len());
    }
    loop {
        let text = section.fill_buf()?;
        let n_blanks = text
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        if n_blanks == 0 {
            return Ok(match text {
                [] | [b'>', ..] => Ok(()),
                _ => Err(not_fasta(text)),
            });
        }
        section.consume(n_blanks);
    }
}

/// Says what a text looks like that is not FASTA.
fn not_fasta(text: &[u8]) -> Fault {
    const LOOKS: [(&[u8], &str, &str); 12] = [
        (
            b"@",
            "FASTQ",
            "convert it: `seqtk seq -A reads.fastq`; proteins are expected",
        ),
        (
            b"<",
            "HTML or XML",
            "open it: a failed download often is a page that says why",
        ),
        (b"{", "JSON", "export FASTA instead"),
        (b"[", "JSON", "export FASTA instead"),
        (
            b";",
            "FASTA with `;` comments",
            "remove the lines that begin with `;`",
        ),
        (b"LOCUS ", "GenBank", "convert it to FASTA"),
        (
            b"ID   ",
            "a UniProt or EMBL flat file",
            "download the FASTA format",
        ),
        (b"HEADER ", "PDB", "download the FASTA format"),
        (b"PK\x03\x04", "a zip archive", "unpack it"),
        (b"PAR1", "Parquet", "export FASTA instead"),
        (
            b"\x1f\x8b",
            "gzip inside another compression",
            "decompress it once",
        ),
        (
            b"BZh",
            "bzip2 inside another compression",
            "decompress it once",
        ),
    ];
    let looks = LOOKS
        .iter()
        .find(|(beginning, ..)| text.starts_with(beginning));
    let (kind, hint) = if let Some((_, kind, hint)) = looks {
        (*kind, *hint)
    } else if text.get(257..262) == Some(b"ustar") {
        ("a tar archive", "unpack it: `tar xf`")
    } else if text.iter().take(1024).any(|&byte| byte == 0) {
        (
            "a binary file or UTF-16 text",
            "give FASTA as UTF-8 text, compressed or not",
        )
    } else {
        (
            "other text",
            "each record begins with a line like `>name description`",
        )
    };
    Fault::of_file(
        format!("is not FASTA: it does not begin with `>`, it looks like {kind}"),
        hint,
    )
}
