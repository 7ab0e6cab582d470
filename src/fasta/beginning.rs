//! What stands before the first record of a file, and whether the file is FASTA at all.

use super::{
    compression::Compression,
    definition::{begins_record, without_marks},
    error::Fault,
    unit_lines::UnitLines,
};
use std::io::{self, Read};

/// Skips byte order marks and blank lines before the first record. The inner result tells what the
/// text is, if it is not FASTA.
pub(super) fn find_beginning(lines: &mut UnitLines<impl Read>) -> io::Result<Result<(), Fault>> {
    lines.peek()?;
    if let Some(encoding) = wide_encoding(lines.buffered()) {
        return Ok(Err(not_utf8(encoding)));
    }
    loop {
        let text = lines.peek()?.text;
        let rest = without_marks(text).trim_ascii_start();
        let n_blanks = text.len() - rest.len();
        if rest.is_empty() && n_blanks > 0 {
            lines.consume(n_blanks);
        } else if rest.is_empty() || begins_record(rest) {
            lines.skip_in_line(n_blanks);
            return Ok(Ok(()));
        } else {
            lines.skip_in_line(n_blanks);
            return Ok(Err(not_fasta(lines.buffered())));
        }
    }
}

/// The encoding of a text whose characters have two or four bytes, as `iconv` calls it.
fn wide_encoding(text: &[u8]) -> Option<&'static str> {
    const MARKS: [(&[u8], &str); 4] = [
        (b"\xff\xfe\0\0", "UTF-32LE"),
        (b"\0\0\xfe\xff", "UTF-32BE"),
        (b"\xff\xfe", "UTF-16LE"),
        (b"\xfe\xff", "UTF-16BE"),
    ];
    let marked = MARKS.iter().find(|(mark, _)| text.starts_with(mark));
    if let Some((_, encoding)) = marked {
        return Some(encoding);
    }
    // Characters of ASCII have zeros in all other bytes, and names may have others among them.
    let head = &text[..text.len().min(64)];
    let fits = |n: usize, zeros: &[usize]| {
        let bytes = head.iter().enumerate();
        let n_fitting = bytes
            .filter(|(index, byte)| zeros.contains(&(index % n)) == (**byte == 0))
            .count();
        head.len() >= n && 5 * n_fitting >= 4 * head.len()
    };
    [
        (4, &[1, 2, 3][..], "UTF-32LE"),
        (4, &[0, 1, 2], "UTF-32BE"),
        (2, &[1], "UTF-16LE"),
        (2, &[0], "UTF-16BE"),
    ]
    .into_iter()
    .find(|(n, zeros, _)| fits(*n, zeros))
    .map(|(.., encoding)| encoding)
}

fn not_utf8(encoding: &str) -> Fault {
    Fault::of_file(
        format!("is not FASTA as UTF-8: it looks like {encoding} text"),
        format!("convert it: `iconv -f {encoding} -t UTF-8 old.fasta > new.fasta`"),
    )
}

/// Says what a text looks like that is not FASTA.
fn not_fasta(text: &[u8]) -> Fault {
    const CONVERT: &str = "convert it to FASTA, and remove the gaps";
    const LOOKS: [(&[u8], &str, &str); 21] = [
        (b"@HD\t", "SAM", "export FASTA instead"),
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
        (b"# STOCKHOLM", "a Stockholm alignment", CONVERT),
        (b"CLUSTAL", "a Clustal alignment", CONVERT),
        (b"MUSCLE (", "a Clustal alignment", CONVERT),
        (b"PROBCONS", "a Clustal alignment", CONVERT),
        (b"#NEXUS", "a NEXUS alignment", CONVERT),
        (b"!!AA_MULTIPLE", "an MSF alignment", CONVERT),
        (b"PileUp", "an MSF alignment", CONVERT),
        (b"##gff", "GFF", "give the FASTA of the proteins instead"),
        (b"LOCUS ", "GenBank", "convert it to FASTA"),
        (
            b"ID   ",
            "a UniProt or EMBL flat file",
            "download the FASTA format",
        ),
        (b"HEADER ", "PDB", "download the FASTA format"),
        (b"data_", "mmCIF", "download the FASTA format"),
        (b"PK\x03\x04", "a zip archive", "unpack it"),
        (b"PAR1", "Parquet", "export FASTA instead"),
        (
            b"#",
            "text with `#` comments",
            "remove the lines that begin with `#`",
        ),
    ];
    let looks = LOOKS
        .iter()
        .find(|(beginning, ..)| text.starts_with(beginning));
    let inner = Compression::sniff(text);
    let (kind, hint) = if let Some((_, kind, hint)) = looks {
        ((*kind).to_owned(), *hint)
    } else if inner != Compression::None {
        (
            format!("{} inside another compression", inner.name()),
            "decompress it once",
        )
    } else if is_phylip(text) {
        ("a PHYLIP alignment".to_owned(), CONVERT)
    } else if text.get(257..262) == Some(b"ustar") {
        ("a tar archive".to_owned(), "unpack it: `tar xf`")
    } else if text.iter().take(1024).any(|&byte| byte == 0) {
        (
            "a binary file".to_owned(),
            "give FASTA as UTF-8 text, compressed or not",
        )
    } else {
        (
            "other text".to_owned(),
            "each record begins with a line like `>name description`",
        )
    };
    Fault::of_file(
        format!("is not FASTA: it does not begin with `>`, it looks like {kind}"),
        hint,
    )
}

/// Whether the first line is the two numbers that PHYLIP begins with.
fn is_phylip(text: &[u8]) -> bool {
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let words: Vec<_> = line
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .collect();
    words.len() == 2 && words.iter().all(|word| word.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &[u8], expect: Result<&[u8], &str>) {
        let mut lines = UnitLines::new(text, 0, u64::MAX);
        match (find_beginning(&mut lines).unwrap(), expect) {
            (Ok(()), Ok(rest)) => {
                let piece = lines.peek().unwrap();
                assert_eq!(piece.text, rest, "{text:?}");
                assert!(piece.text.is_empty() || piece.begins_record(), "{text:?}");
            }
            (Err(fault), Err(part)) => {
                assert!(fault.message.contains(part), "`{part}` in: {fault:?}");
            }
            (got, _) => panic!("{text:?} gave {got:?}"),
        }
    }

    #[test]
    fn blanks_and_marks_are_skipped() {
        check(b"", Ok(b""));
        check(b" \n\n \r\n", Ok(b""));
        check(b"\n\n >a\nM\n", Ok(b">a\n"));
        check(b"\xef\xbb\xbf>a\n", Ok(b">a\n"));
        check(b"\xef\xbb\xbf\xef\xbb\xbf\n\xef\xbb\xbf>a\n", Ok(b">a\n"));
    }

    #[test]
    fn wide_encodings_are_told() {
        for text in [
            ">a\nMKT\n",
            "MKT\n>a\n",
            "\n>a\nM\n",
            "\u{feff}>a\nM\n",
            ">",
        ] {
            let wide = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect();
            let little: Vec<u8> = wide(u16::to_le_bytes);
            let big: Vec<u8> = wide(u16::to_be_bytes);
            check(&little, Err("UTF-16LE"));
            check(&big, Err("UTF-16BE"));
            let wider: Vec<u8> = text
                .chars()
                .flat_map(|c| u32::from(c).to_le_bytes())
                .collect();
            check(&wider, Err("UTF-32LE"));
        }
    }

    #[test]
    fn other_formats_are_told() {
        check(b"CLUSTAL W (1.83)\n\n", Err("Clustal"));
        check(b"# STOCKHOLM 1.0\n", Err("Stockholm"));
        check(b" 5 42\nturkey AAGCTN\n", Err("PHYLIP"));
        check(b"#NEXUS\n", Err("NEXUS"));
        check(b"; old\n>a\nM\n", Err("`;`"));
        check(b"\x28\xb5\x2f\xfdxx", Err("zstd inside"));
        check(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR", Err("binary"));
    }
}
