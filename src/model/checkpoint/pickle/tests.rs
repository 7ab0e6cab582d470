use super::{super::Value, *};
use crate::hint::joined;

fn read_bytes(pickle: &[u8]) -> Result<Heap, String> {
    read(&mut Input::new(pickle)).map_err(|failure| match failure {
        Failure::Bad(reason) => joined(&reason, reason.hint.as_deref()),
        Failure::Io(error) => error.to_string(),
    })
}

fn value(pickle: &[u8]) -> Value {
    let heap = read_bytes(pickle).expect("a good pickle");
    Value::of(&heap, heap.root(), &[])
}

fn check_refused(pickle: &[u8], part: &str) {
    let reason = read_bytes(pickle).err().expect("it is refused");
    assert!(reason.contains(part), "`{reason}` does not say `{part}`");
}

#[test]
fn plain_data_is_read() {
    let check = |pickle: &[u8], expect: Value| assert_eq!(value(pickle), expect);
    let ints = |numbers: &[i64]| Value::List(numbers.iter().map(|&n| Value::Int(n)).collect());
    check(b"\x80\x02N.", Value::None);
    check(b"\x80\x05\x95\x01\0\0\0\0\0\0\0\x88.", Value::Bool(true));
    check(
        b"\x80\x02(K\xffM\0\x01J\xfe\xff\xff\xfft.",
        ints(&[255, 256, -2]),
    );
    check(
        b"\x80\x02(\x8a\0\x8a\x01\x80\x8a\x02\x80\0\x8b\x01\0\0\0\x7fl.",
        ints(&[0, -128, 128, 127]),
    );
    check(
        b"\x80\x02\x8a\x09\0\0\0\0\0\0\0\0\x01.",
        Value::Other("a large number"),
    );
    check(b"\x80\x02G\xbf\xf8\0\0\0\0\0\0.", Value::Float(-1.5));
    check(
        b"\x80\x04\x8c\x02\xc3\xa4.",
        Value::Text("\u{e4}".to_owned()),
    );
    check(b"\x80\x03C\x01a.", Value::Other("bytes"));
    check(b"\x80\x02]q\0(K\x01K\x02eK\x03a.", ints(&[1, 2, 3]));
    check(b"\x80\x04\x8f(K\x01\x90.", ints(&[1]));
    check(b"\x80\x04(K\x01\x91.", ints(&[1]));
    check(b"\x80\x02c__builtin__\nset\n]K\x01a\x85R.", ints(&[1]));
    check(b"\x80\x02K\x05\x94K\x0600h\0.", Value::Int(5));
    check(b"\x80\x02K\x072\x86.", ints(&[7, 7]));
    check(b"\x80\x02K\x01(K\x02K\x031.", Value::Int(1));
    // A later entry takes the place of an earlier one.
    let map = value(b"\x80\x02(U\x01aK\x01U\x01bK\x02dU\x01aK\x03s.");
    assert_eq!(map.get("a"), Some(&Value::Int(3)));
    assert_eq!(map.get("b"), Some(&Value::Int(2)));
    assert_eq!(map.get("c"), None);
    let namespace = value(b"\x80\x02cargparse\nNamespace\n)\x81}U\x01aNsb.");
    assert_eq!(namespace.get("a"), Some(&Value::None));
}

#[test]
fn broken_pickles_say_where() {
    check_refused(b"", "ends before it is complete");
    check_refused(b"\x80\x02.", "a value is missing");
    check_refused(b"\x80\x02K\x01(.", "a value is missing");
    check_refused(b"\x80\x02t.", "a mark is missing");
    check_refused(b"\x80\x02K\x01K\x01s.", "a value is missing");
    check_refused(b"\x80\x02NK\x01K\x01s.", "no dictionary");
    check_refused(b"\x80\x02}(K\x01u.", "no dictionary");
    check_refused(b"\x80\x02NK\x01a.", "no list");
    check_refused(b"\x80\x02h\0.", "does not remember");
    check_refused(b"\x80\x02K\x01)R.", "no function");
    check_refused(b"\x80\x02N}b.", "attributes");
    check_refused(b"\x80\x02NQ.", "no storage");
    check_refused(b"\x80\x02NN\x93.", "not a text");
    check_refused(b"\x80\x02ctorch\nFloatStorage\n)R.", "no plain tensor");
    check_refused(
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
        "no plain tensor",
    );
    check_refused(b"\x80\x01.", "protocol 1");
    check_refused(b"\x80\x06.", "protocol 6");
    // The instructions of the first protocols, and buffers that are elsewhere.
    for instruction in [
        b'I', b'L', b'S', b'V', b'F', b'P', b'g', b'p', 0x97, 0x98, 0xff,
    ] {
        check_refused(&[0x80, 2, instruction], "is no instruction");
    }
}

/// Pickles that would take more memory, or a deeper stack, than there is.
#[test]
fn bombs_do_not_go_off() {
    let many =
        |part: &[u8], n: usize, rest: &[u8]| [&b"\x80\x02"[..], &part.repeat(n), rest].concat();
    check_refused(&many(b"N", 2_000_000, b"."), "more than a million");
    check_refused(&many(b"N0", 2_000_000, b"."), "more than a million");
    check_refused(&many(b"(", 2_000_000, b"."), "more than a million");
    check_refused(
        &[b"\x80\x02N", b"2".repeat(2_000_000).as_slice()].concat(),
        "more than a million",
    );
    let remembered: Vec<u8> = (0..2_000_000u32)
        .flat_map(|n| [b"r".as_slice(), &n.to_le_bytes()].concat())
        .collect();
    check_refused(
        &[b"\x80\x02N", remembered.as_slice()].concat(),
        "more than a million",
    );
    check_refused(&b"]0".repeat(9 << 20), "more than");
    // One value is all parts of a list, and one entry all of a dictionary.
    let list = many(b"h\0a", 2_500_000, b".");
    check_refused(&[b"\x80\x02]q\0", &list[2..]].concat(), "two million parts");
    let dictionary = many(b"h\0h\0s", 1_500_000, b".");
    check_refused(
        &[b"\x80\x02}q\0", &dictionary[2..]].concat(),
        "two million parts",
    );
    check_refused(b"\x80\x02X\xff\xff\xff\xffabc", "more than 16777216 bytes");
    check_refused(
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xffabc",
        "more than 16777216 bytes",
    );
    check_refused(
        b"\x80\x02\x8b\xff\xff\xff\x7fabc",
        "more than 16777216 bytes",
    );
    check_refused(b"\x80\x02X\xff\0\0\0abc", "ends before it is complete");

    // Lists within lists, and one within itself.
    let deep = value(&[many(b"]", 500_000, b""), vec![b'a'; 499_999], b".".to_vec()].concat());
    assert!(format!("{deep:?}").contains("more than is read"));
    let own = value(b"\x80\x02]q\0h\0a.");
    assert!(format!("{own:?}").contains("more than is read"));
    // Each list holds the one before it ten times.
    let mut laughs = b"\x80\x02]q\0".to_vec();
    for n in 1..60 {
        laughs.extend_from_slice(b"](");
        laughs.extend([b'h', n - 1].repeat(10));
        laughs.extend([b'e', b'q', n]);
    }
    laughs.push(b'.');
    assert!(format!("{:?}", value(&laughs)).len() < 10_000_000);
    // A text of a megabyte, ten thousand times.
    let mut texts = b"\x80\x02](X\0\0\x10\0".to_vec();
    texts.extend([b'a'; 1 << 20]);
    texts.extend([b'2'; 10_000]);
    texts.extend(b"e.");
    assert!(format!("{:?}", value(&texts)).len() < 4_000_000);
}
