//! A folder and what is written for it.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use tenure_files::{Embed, Error};

/// A folder for one test, removed behind it.
struct Folder(PathBuf);

impl Folder {
    fn new(files: &[(&str, &[u8])]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("tenure-files-{}-{}", process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = Folder(std::env::temp_dir().join(name));
        fs::create_dir_all(folder.0.join("out")).unwrap();
        for (path, bytes) in files {
            folder.put(path, bytes);
        }
        folder
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn out(&self) -> PathBuf {
        self.0.join("out")
    }

    fn write(&self, embed: &Embed) -> Result<String, Error> {
        let path = embed.write_below(&self.0, &self.out())?;
        Ok(fs::read_to_string(path).unwrap())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn names(text: &str) -> Vec<&str> {
    text.split("File::new(\"").skip(1).map(|part| part.split('"').next().unwrap()).collect()
}

#[test]
fn files_stand_in_the_order_of_their_paths() {
    let folder = Folder::new(&[
        ("site/index.html", b"front"),
        ("site/a/index.html", b"a"),
        ("site/a.txt", b"text"),
        ("site/a!.txt", b"text"),
        ("site/a/b/c.css", b"css"),
        ("site/B.txt", b"text"),
        ("site/\u{e4} \"quoted\".txt", b"text"),
        ("site/.hidden", b"not told"),
        ("site/.git/config", b"not told"),
        ("site/a/.hidden/x", b"not told"),
    ]);
    let text = folder.write(&Embed::new("site")).unwrap();
    let wanted = ["B.txt", "a!.txt", "a.txt", "a/b/c.css", "a/index.html", "index.html", "\u{e4} \\"];
    assert_eq!(names(&text), wanted, "{text}");
    assert!(text.contains("pub static SITE: ::tenure::files::Table") && !text.contains("hidden"), "{text}");
    assert!(text.contains(r#"File::new("ä \"quoted\".txt", "text/plain; charset=utf-8")"#), "{text}");
    assert!(folder.out().join("site.rs").exists());
}

#[test]
fn variants_are_there_where_they_are_smaller() {
    let long = b"<p>once more</p>\n".repeat(1_000);
    let numbers: Vec<u8> =
        (0..20_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let folder = Folder::new(&[
        ("site/long.html", &long),
        ("site/short.html", b"short"),
        ("site/empty.html", b""),
        ("site/image.png", &long),
        ("site/numbers", &numbers),
    ]);
    let text = folder.write(&Embed::new("site")).unwrap();
    let entry = |name: &str| text.split("File::new(").find(|part| part.starts_with(&format!("{name:?}"))).unwrap();
    assert!(entry("long.html").contains(".identity(") && entry("long.html").contains(".gzip("), "{text}");
    for name in ["short.html", "empty.html", "image.png", "numbers"] {
        assert!(!entry(name).contains("gzip") && !entry(name).contains("brotli"), "{text}");
    }
    let only = folder.write(&Embed::new("site").only_gzip()).unwrap();
    let entry = |name: &str| only.split("File::new(").find(|part| part.starts_with(&format!("{name:?}"))).unwrap();
    assert!(
        !entry("long.html").contains("identity") && entry("long.html").contains("-gz\\\"\", include_bytes!("),
        "{only}"
    );
    assert!(entry("short.html").contains("identity") && !only.contains("brotli"), "{only}");
    // Brotli is there where it beats gzip by as much.
    let prose: Vec<_> = (0..3_000).map(|number| format!("line {number} of {}\n", number * 7_919 % 3_001)).collect();
    folder.put("site/prose.txt", prose.concat().as_bytes());
    assert!(folder.write(&Embed::new("site")).unwrap().contains(".brotli("));
    assert!(!folder.write(&Embed::new("site").no_brotli()).unwrap().contains(".brotli("));
}

#[test]
fn tags_change_with_the_bytes_alone() {
    let folder = Folder::new(&[("site/a.txt", b"one"), ("site/b.txt", b"one"), ("site/c.txt", b"two")]);
    let tags = |text: &str| -> Vec<String> {
        text.split(".identity(").skip(1).map(|part| part.split(',').next().unwrap().to_owned()).collect()
    };
    let before = tags(&folder.write(&Embed::new("site")).unwrap());
    assert_eq!(before[0], before[1]);
    assert_ne!(before[0], before[2]);
    // The first bytes of SHA-256 of `one`.
    assert_eq!(before[0], r#""\"7692c3ad3540bb80\"""#);
    folder.put("site/a.txt", b"other");
    folder.put("site/b.txt", b"one");
    let after = tags(&folder.write(&Embed::new("site")).unwrap());
    assert!(after[0] != before[0] && after[1..] == before[1..]);
}

#[test]
fn what_never_changes_is_immutable() {
    let folder = Folder::new(&[
        ("site/app.3f2a9c1b.js", b"1"),
        ("site/app.js", b"2"),
        ("site/assets/index-DiwrgTda.js", b"3"),
        ("site/index.html", b"4"),
    ]);
    let count = |embed: Embed| folder.write(&embed).unwrap().matches("IMMUTABLE").count();
    assert_eq!([count(Embed::new("site")), count(Embed::new("site").immutable("assets/"))], [1, 2]);
}

#[test]
fn names_and_fallbacks() {
    let folder = Folder::new(&[("web-ui/dist.2/index.html", b"front"), ("web-ui/dist.2/a/x.html", b"x"), ("9/x", b"")]);
    let embed = Embed::new("web-ui/dist.2");
    assert!(folder.write(&embed).unwrap().contains("static DIST_2:"));
    assert!(folder.write(&embed.clone().name("PAGE_2")).unwrap().contains("static PAGE_2:"));
    assert!(folder.out().join("page_2.rs").exists());
    assert!(folder.write(&embed.clone().fallback("a/x.html")).unwrap().ends_with("]).fallback(\"a/x.html\");\n"));
    for name in ["", "page", "2", "PAGE-2", "\u{c4}", "_"] {
        let error = folder.write(&embed.clone().name(name)).unwrap_err();
        assert!(matches!(error, Error::Name(_)) && format!("{error:?}").contains("Embed::name"), "{error}");
    }
    assert!(matches!(folder.write(&Embed::new("9")), Err(Error::Name(_))));
    for fallback in ["x.html", "a", "/index.html", ""] {
        let error = folder.write(&embed.clone().fallback(fallback)).unwrap_err();
        assert!(error.to_string().contains("dist.2"), "{error}");
    }
}

#[test]
fn faults_say_where_they_are() {
    let folder = Folder::new(&[("site/.hidden", b""), ("file", b"")]);
    for (path, wanted) in [("none", "none is no folder"), ("file", "file is no folder"), ("site", "site has no files")]
    {
        let error = folder.write(&Embed::new(path)).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
    let nowhere = Embed::new("site").write_below(&folder.0, Path::new("/proc/none"));
    assert!(nowhere.is_err());
    folder.put("site/back\\slash", b"");
    #[cfg(unix)]
    assert!(matches!(folder.write(&Embed::new("site")), Err(Error::Path(_))));
}

#[cfg(unix)]
#[test]
fn links_lead_to_files_alone() {
    let folder = Folder::new(&[("site/index.html", b"front"), ("else/other.html", b"other")]);
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(folder.0.join(to), folder.0.join(name)).unwrap();
    link("else/other.html", "site/linked.html");
    assert_eq!(names(&folder.write(&Embed::new("site")).unwrap()), ["index.html", "linked.html"]);
    link("site", "site/itself");
    let error = folder.write(&Embed::new("site")).unwrap_err();
    assert!(matches!(&error, Error::Kind(path) if path.ends_with("itself")), "{error}");
    fs::remove_file(folder.0.join("site/itself")).unwrap();
    link("nowhere", "site/dangling");
    assert!(matches!(folder.write(&Embed::new("site")), Err(Error::Read(..))));
}

/// What has been packed is not packed again, and what lies there from a build that was stopped does no harm.
#[test]
fn what_has_been_packed_is_kept() {
    let folder = Folder::new(&[("site/long.html", &b"once more\n".repeat(1_000))]);
    folder.write(&Embed::new("site").no_brotli()).unwrap();
    let packed: Vec<_> =
        fs::read_dir(folder.out().join("site-packed")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [packed] = &packed[..] else { panic!("{packed:?}") };
    fs::write(packed, b"a mark").unwrap();
    folder.write(&Embed::new("site").no_brotli()).unwrap();
    assert_eq!(fs::read(packed).unwrap(), b"a mark");
    fs::rename(packed, packed.with_extension("part")).unwrap();
    folder.write(&Embed::new("site").no_brotli()).unwrap();
    assert_eq!(fs::read(packed).unwrap()[..2], [0x1f, 0x8b]);
}
