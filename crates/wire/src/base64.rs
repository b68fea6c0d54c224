//! Base64 as SASL exchanges carry it (RFC 4648 4, RFC 4954 4).

use alloc::string::String;
use alloc::vec::Vec;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes octets as base64, with padding.
pub fn encode(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().div_ceil(3) * 4);
    for group in octets.chunks(3) {
        let bits = group.iter().enumerate().fold(0, |bits, (place, octet)| {
            bits | u32::from(*octet) << (16 - 8 * place)
        });
        for place in 0..4 {
            text.push(match place <= group.len() {
                // Six bits are below 64.
                true => ALPHABET[(bits >> (18 - 6 * place)) as usize & 63].into(),
                false => '=',
            });
        }
    }
    text
}

/// Reads base64. `None` for any other octet, for padding that is missing or not at the end, and for
/// bits after the last octet that aren't zero (RFC 4648 3.5): each value is written in one way.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text
        .strip_suffix(b"==")
        .or_else(|| text.strip_suffix(b"="))
        .unwrap_or(text);
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let mut octets = Vec::with_capacity(text.len() / 4 * 3);
    for group in digits.chunks(4) {
        let mut bits = 0;
        for (place, digit) in group.iter().enumerate() {
            bits |= value(*digit)? << (18 - 6 * place);
        }
        let [_, group_octets @ ..] = bits.to_be_bytes();
        // Two digits are one octet, three are two; one alone is none, which four to a group rule out.
        let (taken, left) = group_octets.split_at(group.len() * 3 / 4);
        if left.iter().any(|octet| *octet != 0) {
            return None;
        }
        octets.extend_from_slice(taken);
    }
    Some(octets)
}

fn value(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_test_vectors_of_rfc_4648_10() {
        for (octets, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(octets.as_bytes()), text);
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(octets.as_bytes()));
        }
    }

    #[test]
    fn what_rfc_4954_4_forbids_is_refused() {
        let bad = [
            "=", "==", "===", "====", "A", "AA", "AAA", "A===", "=AAA", "AAA=BBB", "AA=A", "AAAA=",
            "AA==AAAA", "AAA=AAAA", "AA A", "AA-_", "AAAA\n", "*", "Zh==", "Zm9=",
        ];
        for text in bad {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(octets in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(decode(encode(&octets).as_bytes()), Some(octets));
        }

        #[test]
        fn what_reads_is_written_in_one_way(text in "[A-Za-z0-9+/=]{0,12}") {
            if let Some(octets) = decode(text.as_bytes()) {
                prop_assert_eq!(encode(&octets), text);
            }
        }
    }
}
