//! What a file becomes: its type, its tags, its variants.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};
use tenure_proto::media;

use crate::{Embed, Error, walk::Found};

/// One file as it is embedded.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) path: String,
    pub(crate) content_type: &'static str,
    pub(crate) is_immutable: bool,
    /// Its bytes as they are, and packed: where they are, and what stands between the quotes of the tag.
    pub(crate) identity: Option<(PathBuf, String)>,
    pub(crate) gzip: Option<(PathBuf, String)>,
    pub(crate) brotli: Option<(PathBuf, String)>,
}

/// Bytes that packing must save at the least: about what the fields cost that tell of it.
const SAVED_BYTES_MIN: usize = 100;

/// Whether packed bytes are enough smaller: a tenth, and so many bytes.
fn is_worth(packed: usize, than: usize) -> bool {
    packed <= than - than / 10 && packed + SAVED_BYTES_MIN <= than
}

/// What a file becomes. What is packed is written into the folder `packed`.
pub(crate) fn entry(embed: &Embed, file: &Found, packed: &Path) -> Result<Entry, Error> {
    let bytes = fs::read(&file.source).map_err(|error| Error::Read(file.source.clone(), error))?;
    // 64 bits tell the versions of one file apart.
    let digest = Sha256::digest(&bytes).iter().take(8).fold(0, |digest, &byte| digest << 8 | u64::from(byte));
    let digest = format!("{digest:016x}");
    let content_type = media::content_type(&file.path);
    let mut entry = Entry {
        path: file.path.clone(),
        content_type,
        is_immutable: media::has_digest(&file.path) || embed.immutable.iter().any(|path| file.path.starts_with(path)),
        identity: Some((file.source.clone(), digest.clone())),
        gzip: None,
        brotli: None,
    };
    if !media::is_compressible(content_type) {
        return Ok(entry);
    }
    let pack = |extension: &str, pack: fn(&[u8]) -> io::Result<Vec<u8>>| {
        // The length makes it certain that no other file is meant.
        let path = packed.join(format!("{digest}-{}.{extension}", bytes.len()));
        let failed = |error| Error::Write(path.clone(), error);
        if let Ok(packed) = fs::metadata(&path) {
            return Ok((path, packed.len() as usize));
        }
        let packed = pack(&bytes).map_err(failed)?;
        // Whole or not at all: a build may be stopped at any time.
        let part = path.with_extension("part");
        fs::write(&part, &packed).and_then(|()| fs::rename(&part, &path)).map_err(failed)?;
        Ok((path, packed.len()))
    };
    let (path, length) = pack("gz", gzip)?;
    let mut least = bytes.len();
    if is_worth(length, least) {
        entry.gzip = Some((path, format!("{digest}-gz")));
        least = length;
        if !embed.identity {
            entry.identity = None;
        }
    }
    if embed.brotli {
        let (path, length) = pack("br", brotli)?;
        if is_worth(length, least) {
            entry.brotli = Some((path, format!("{digest}-br")));
        }
    }
    Ok(entry)
}

/// RFC 1952. Neither name nor time are in it, so that the same bytes are packed into the same.
fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(bytes)?;
    writer.finish()
}

/// RFC 7932.
fn brotli(mut bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams { size_hint: bytes.len(), ..Default::default() };
    brotli::BrotliCompress(&mut bytes, &mut packed, &parameters)?;
    Ok(packed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn what_is_packed_is_unpacked_again() {
        for bytes in [b"".to_vec(), b"a".to_vec(), b"once more\n".repeat(10_000)] {
            let (mut gunzipped, mut unpacked) = (Vec::new(), Vec::new());
            flate2::read::GzDecoder::new(&gzip(&bytes).unwrap()[..]).read_to_end(&mut gunzipped).unwrap();
            brotli::BrotliDecompress(&mut &super::brotli(&bytes).unwrap()[..], &mut unpacked).unwrap();
            assert!(gunzipped == bytes && unpacked == bytes, "{} bytes", bytes.len());
            assert_eq!(gzip(&bytes).unwrap(), gzip(&bytes).unwrap());
        }
    }

    #[test]
    fn what_is_worth_packing() {
        for (packed, than, wanted) in [
            (0, 0, false),
            (0, 99, false),
            (0, 100, true),
            (100, 200, true),
            (101, 200, false),
            (900, 1_000, true),
            (901, 1_000, false),
            (9_000, 10_000, true),
            (9_001, 10_000, false),
            (10_000, 10_000, false),
            (20_000, 10_000, false),
        ] {
            assert_eq!(is_worth(packed, than), wanted, "{packed} of {than}");
        }
    }
}
