//! The code of a function: a zip archive, of which only the list of what is in it is read.
//! <https://pkwaredownloads.blob.core.windows.net/pkware-general/Documentation/APPNOTE-6.3.9.TXT>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::invalid;
use crate::error::ApiError;
use crate::input::Input;

/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html#function-configuration-deployment-and-execution>
pub(super) const ZIPPED: usize = 52_428_800;
pub(super) const UNZIPPED: u64 = 262_144_000;

/// What is known of a function's code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Code {
    /// Of the archive, in base64.
    pub(super) sha256: String,
    pub(super) size: usize,
    /// Whether there is something to start in it.
    pub(super) bootstrap: bool,
}

/// The code that a call brings.
pub(super) fn read(input: &Input) -> Result<Code, ApiError> {
    for elsewhere in ["S3Bucket", "ImageUri"] {
        if input.has(elsewhere) {
            return Err(ApiError::not_simulated(format!("code of a function by {elsewhere}")));
        }
    }
    let text = input.opt_str("ZipFile").ok_or_else(|| invalid("Please provide a source for function code."))?;
    let unreadable = || invalid("Could not unzip uploaded file. Please check your file, then try to upload again.");
    let zip = STANDARD.decode(text).map_err(|_| unreadable())?;
    if zip.len() > ZIPPED {
        let message = format!("Zipped size must be smaller than {ZIPPED} bytes");
        return Err(ApiError::with_status(413, "RequestEntityTooLargeException", message));
    }
    let entries = entries(&zip).ok_or_else(unreadable)?;
    if entries.iter().map(|(_, size)| size).sum::<u64>() > UNZIPPED {
        return Err(invalid(format!("Unzipped size must be smaller than {UNZIPPED} bytes")));
    }
    Ok(Code {
        sha256: STANDARD.encode(Sha256::digest(&zip)),
        size: zip.len(),
        bootstrap: entries.iter().any(|(name, _)| name == "bootstrap"),
    })
}

fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(width)?)?;
    Some(field.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

fn place(bytes: &[u8], at: usize, width: usize) -> Option<usize> {
    number(bytes, at, width).and_then(|number| usize::try_from(number).ok())
}

/// The names and whole sizes of what is in an archive, by its central directory; none when it is no archive, or has
/// nothing in it.
fn entries(zip: &[u8]) -> Option<Vec<(String, u64)>> {
    const END: &[u8] = b"PK\x05\x06";
    const ENTRY: &[u8] = b"PK\x01\x02";
    // The end record is the last thing there is, before a comment of up to 64 KiB.
    let earliest = zip.len().saturating_sub(22 + 0xffff);
    let end = (earliest..=zip.len().checked_sub(22)?).rev().find(|at| zip[*at..].starts_with(END))?;
    let (count, mut at) = (place(zip, end + 10, 2)?, place(zip, end + 16, 4)?);
    let mut found = Vec::new();
    for _ in 0..count {
        if !zip.get(at..)?.starts_with(ENTRY) {
            return None;
        }
        let (size, length) = (number(zip, at + 24, 4)?, place(zip, at + 28, 2)?);
        let name = zip.get(at + 46..at + 46 + length)?;
        found.push((String::from_utf8_lossy(name).into_owned(), size));
        at += 46 + length + place(zip, at + 30, 2)? + place(zip, at + 32, 2)?;
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// An archive of one file, stored as it is, as `zip -0` writes it (without checksums, which nobody here reads).
    pub(crate) fn zip_of(name: &str, body: &[u8]) -> Vec<u8> {
        let four = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
        let two = |number: usize| u16::try_from(number).unwrap().to_le_bytes();
        let about = [&[10, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &four(0), &four(body.len()), &four(body.len())].concat();
        let local = [b"PK\x03\x04", &about[..], &two(name.len()), &two(0), name.as_bytes(), body].concat();
        let rest = [&two(name.len())[..], &[0; 16], name.as_bytes()].concat();
        let central = [b"PK\x01\x02\x14\x00", &about[..], &rest].concat();
        let end = [&b"PK\x05\x06\0\0\0\0\x01\0\x01\0"[..], &four(central.len()), &four(local.len()), &two(0)].concat();
        [local, central, end].concat()
    }

    fn judged(zip: &[u8]) -> Result<Code, ApiError> {
        read(&Input::new("lambda", json!({"ZipFile": STANDARD.encode(zip)})))
    }

    #[test]
    fn an_archive_tells_what_is_in_it() {
        let zip = zip_of("bootstrap", b"\x7fELF");
        assert_eq!(entries(&zip).unwrap(), [("bootstrap".to_owned(), 4)]);
        let code = judged(&zip).unwrap();
        assert_eq!((code.size, code.bootstrap), (zip.len(), true));
        assert!(!judged(&zip_of("main.py", b"")).unwrap().bootstrap);
    }

    #[test]
    fn what_is_no_archive_is_refused() {
        let good = zip_of("bootstrap", b"x");
        for bad in [&b""[..], b"not a zip at all, but long enough", &good[..good.len() - 1]] {
            assert_eq!(judged(bad).unwrap_err().code, "InvalidParameterValueException");
        }
    }
}
