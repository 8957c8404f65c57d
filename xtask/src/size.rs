//! What the images for riscv32imc take: flash, RAM, and instructions of a `POST /adder` in QEMU, beside other servers on the
//! same board, stack, sockets and rings.
//!
//! With `-icount shift=0` the guest's counter of instructions is exact. The firmware adds up what it executes while the core
//! does not wait (`BUSY_INSTRUCTIONS`), and the monitor reads that between two counts of requests.

use std::{fmt, fs, path::Path, thread, time::Duration};

use object::{Object, ObjectSection, ObjectSymbol, SectionKind};

use crate::{
    Failure, board,
    client::{BODY, Client, HEAD},
    guest::{self, BOOT, Guest},
};

/// Requests before the count begins, and of the count.
const WARM: u32 = 200;
const COUNTED: u32 = 1_000;
/// How long the first answer of a boot may take before it is asked for anew.
const ATTEMPT: Duration = Duration::from_secs(2);
/// Times that each image is booted. How often the stack looks for packets depends on when they come: it differs a little.
const BOOTS: usize = 5;
/// The stack's words that were never used.
const PAINT: u32 = 0xa5a5_a5a5;
/// Bytes that the stack may take on a board of 400 KiB, all statics left out.
const STACK_BYTES_MAX: u64 = 64 * 1024;

/// What is measured: a program of a workspace below `firmware`, and the features that it needs.
const PROGRAMS: [(&str, &str, &str); 8] = [
    ("a fixed reply that parses nothing", "fixed", ""),
    ("tenure", "tenure", "tenure"),
    ("tenure, the whole application", "application", "application"),
    ("picoserve", "picoserve", "picoserve"),
    ("edge-http", "edge", "edge"),
    ("a fixed reply, 32 connections", "fixed", "many"),
    ("tenure, 32 connections", "tenure", "tenure,many"),
    ("tenure, 4 lanes", "tenure", "tenure,lanes"),
];
/// Where in that list what stands that the others are compared with, and how many connections and lanes more they have.
const FIXED: usize = 0;
const TENURE: usize = 1;
const FIXED_MANY: usize = 5;
const TENURE_MANY: usize = 6;
const TENURE_LANES: usize = 7;
const CONNECTIONS_MORE: u64 = 32 - 7;
const LANES_MORE: u64 = 4 - 2;

/// Parts of tenure, each used once beside the adder, and the features of `firmware/compare` that use them.
const PARTS: [(&str, &str); 12] = [
    ("the adder alone", "tenure"),
    ("all parts available, none used", "parts"),
    ("a reply in JSON, `Json`", "reply"),
    ("JSON read, `Body::json`", "read"),
    ("JSON both ways", "reply,read"),
    ("a form read, `Body::form`", "form"),
    ("a query read, `query_as`", "query"),
    ("fields on every response, `Router::fields`", "fields"),
    ("other sites' pages, `Router::cors`", "cors"),
    ("one page for all errors, `Router::errors`", "errors"),
    ("files in flash, `files(&TABLE)`, without their bytes", "files"),
    ("all of these", "reply,read,form,query,fields,cors,errors,files"),
];

/// Bytes of an image.
struct Sizes {
    text: u64,
    rodata: u64,
    data: u64,
    bss: u64,
}

impl Sizes {
    fn of(image: &object::File<'_>) -> Self {
        let mut sizes = Sizes { text: 0, rodata: 0, data: 0, bss: 0 };
        for section in image.sections() {
            // What is left of the RAM is a section, too.
            if matches!(section.name(), Ok(".stack" | ".heap")) {
                continue;
            }
            match section.kind() {
                SectionKind::Text => sizes.text += section.size(),
                SectionKind::ReadOnlyData | SectionKind::ReadOnlyString => sizes.rodata += section.size(),
                SectionKind::Data => sizes.data += section.size(),
                SectionKind::UninitializedData => sizes.bss += section.size(),
                _ => {}
            }
        }
        sizes
    }

    fn flash(&self) -> u64 {
        self.text + self.rodata + self.data
    }
}

/// What one boot of an image counts.
struct Counts {
    whole: f64,
    torn: f64,
    stack: u64,
}

/// A median with the least and the most.
struct Median {
    least: f64,
    middle: f64,
    most: f64,
}

impl Median {
    fn of(mut numbers: Vec<f64>) -> Self {
        numbers.sort_by(f64::total_cmp);
        let at = |index: usize| numbers.get(index).copied().unwrap_or(f64::NAN);
        Median { least: at(0), middle: at(numbers.len() / 2), most: at(numbers.len().saturating_sub(1)) }
    }
}

impl fmt::Display for Median {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} ({:.0} to {:.0})", self.middle, self.least, self.most)
    }
}

/// One row of the table.
struct Row {
    name: &'static str,
    sizes: Sizes,
    stack: u64,
    whole: Median,
    torn: Median,
}

/// `only`: programs to be measured, once, beside the fixed reply; all of them where it is empty.
pub(crate) fn run(only: &[&str]) -> Result<(), Failure> {
    let whole = only.is_empty();
    let mut images = Vec::new();
    for (index, (name, program, features)) in PROGRAMS.into_iter().enumerate() {
        if !whole && index != FIXED && (index >= FIXED_MANY || !only.contains(&program)) {
            continue;
        }
        let built = guest::build("compare", program, &["--features", features])?;
        // The next build of the same program writes over it.
        let image = built.with_file_name(format!("{program}-{features}"));
        fs::copy(&built, &image)?;
        images.push((name, image));
    }
    let mut boots = Vec::new();
    for _ in 0..if whole { BOOTS } else { 1 } {
        let measured =
            images.iter().map(|(name, image)| measure(name, image).map_err(|error| format!("{name}: {error}")));
        boots.push(measured.collect::<Result<Vec<_>, _>>()?);
    }
    let mut rows = Vec::new();
    for (index, (name, image)) in images.iter().enumerate() {
        let sizes = Sizes::of(&object::File::parse(&*fs::read(image)?)?);
        let of = |count: fn(&Counts) -> f64| Median::of(boots.iter().map(|boot| count(&boot[index])).collect());
        let stack = boots.iter().map(|boot| boot[index].stack).max().unwrap_or(0);
        rows.push(Row { name, sizes, stack, whole: of(|counts| counts.whole), torn: of(|counts| counts.torn) });
    }
    println!();
    println!(
        "| | instructions of a POST | by the fixed reply | in two segments | flash: text, rodata, data | beyond the fixed \
         reply | RAM: data and bss | stack used |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    for (index, Row { name, sizes, stack, whole, torn }) in rows.iter().enumerate() {
        let fixed = &rows[if matches!(index, FIXED_MANY | TENURE_MANY) { FIXED_MANY } else { FIXED }];
        let Sizes { text, rodata, data, bss } = sizes;
        println!(
            "| {name} | {whole} | {:.2} | {torn} | {} ({text}, {rodata}, {data}) | {} | {} | {stack} |",
            whole.middle / fixed.whole.middle,
            sizes.flash(),
            sizes.flash().cast_signed() - fixed.sizes.flash().cast_signed(),
            data + bss,
        );
    }
    if !whole {
        return Ok(());
    }
    let ram = |row: usize| rows[row].sizes.data + rows[row].sizes.bss;
    let beyond = |row: usize, fixed: usize| rows[row].whole.middle - rows[fixed].whole.middle;
    println!();
    println!(
        "instructions beyond the fixed reply: {:.0} with 7 connections, {:.0} with 32",
        beyond(TENURE, FIXED),
        beyond(TENURE_MANY, FIXED_MANY)
    );
    println!(
        "RAM of a connection more: {} bytes, {} of them of the fixed reply, too: its socket and rings",
        (ram(TENURE_MANY) - ram(TENURE)) / CONNECTIONS_MORE,
        (ram(FIXED_MANY) - ram(FIXED)) / CONNECTIONS_MORE
    );
    println!("RAM of a lane more: {} bytes", (ram(TENURE_LANES) - ram(TENURE)) / LANES_MORE);
    println!();
    board::images()
}

/// Flash by parts of tenure: nothing is booted.
pub(crate) fn parts() -> Result<(), Failure> {
    let mut rows = Vec::new();
    for (name, features) in PARTS {
        let image = guest::build("compare", "tenure", &["--features", features])?;
        rows.push((name, Sizes::of(&object::File::parse(&*fs::read(image)?)?).flash().cast_signed()));
    }
    let alone = rows[0].1;
    println!();
    println!("| | flash | beyond the adder alone |");
    println!("|---|--:|--:|");
    for (name, flash) in rows {
        println!("| {name} | {flash} | {} |", flash - alone);
    }
    Ok(())
}

fn measure(name: &str, path: &Path) -> Result<Counts, Failure> {
    let bytes = fs::read(path)?;
    let image = object::File::parse(&*bytes)?;
    let address = |symbol: &str| {
        let found = image.symbol_by_name(symbol).map(|symbol| symbol.address());
        found.ok_or_else(|| format!("{name}: the image has no {symbol}"))
    };
    let busy = address("BUSY_INSTRUCTIONS")?;
    let guest = Guest::boot(path, &["-icount", "shift=0"])?;
    // The fixed reply is the same for all.
    let parses = !name.starts_with("a fixed reply");
    let mut client = first_answer(&guest)?;
    let mut count = |turn: &mut dyn FnMut(&mut Client) -> Result<(), Failure>| -> Result<f64, Failure> {
        for _ in 0..WARM {
            turn(&mut client)?;
        }
        let from = read(&guest, busy)?;
        for _ in 0..COUNTED {
            turn(&mut client)?;
        }
        Ok(f64::from(u32::try_from(read(&guest, busy)? - from)?) / f64::from(COUNTED))
    };
    let whole = count(&mut |client| {
        client.send(&[HEAD, BODY].concat())?;
        Ok(client.expect(200)?)
    })?;
    let torn = count(&mut |client| {
        client.send(HEAD)?;
        if parses {
            // The guest must have had the head: its segments would be one otherwise.
            thread::sleep(Duration::from_millis(2));
        } else {
            client.expect(200)?;
        }
        client.send(BODY)?;
        Ok(client.expect(200)?)
    })?;
    // Behind the counts: the stack looks at a second connection's socket for as long as it closes, with each packet.
    if parses {
        verify(&guest, &mut client)?;
    }
    let stack = stack_used(&guest, address("__sheap")?, address("_stack_start")?)?;
    guest.shut_down()?;
    Ok(Counts { whole, torn, stack })
}

/// Two connections, one between the other's requests, each with its sum.
fn verify(guest: &Guest, one: &mut Client) -> Result<(), Failure> {
    let mut two = Client::connect(guest.address)?;
    let request = |method: &str, body: &str| {
        format!("{method} /adder HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    };
    for (first, method, body, sum) in [
        (true, "PUT", "5", "5"),
        (false, "PUT", "100", "100"),
        (true, "POST", "-7", "-2"),
        (false, "POST", "1", "101"),
        (true, "GET", "", "-2"),
        (false, "GET", "", "101"),
        (true, "PUT", "0", "0"),
    ] {
        let client = if first { &mut *one } else { &mut two };
        client.send(&request(method, body))?;
        let (status, answer) = client.answer()?;
        if (status, &*answer) != (200, sum.as_bytes()) {
            return Err(format!("{method} {body} is answered {status} {:?}", answer.escape_ascii().to_string()).into());
        }
    }
    Ok(())
}

/// A connection that is served: the guest boots as long as there is none.
fn first_answer(guest: &Guest) -> Result<Client, Failure> {
    let mut last = None;
    for _ in 0..300 {
        let attempt = Client::connect(guest.address).and_then(|mut client| {
            // With `-icount` the first frame may be answered so late that QEMU has dropped what was to follow it.
            client.stream.set_read_timeout(Some(ATTEMPT))?;
            client.add()?;
            client.stream.set_read_timeout(Some(BOOT))?;
            Ok(client)
        });
        match attempt {
            Ok(client) => return Ok(client),
            Err(error) => last = Some(error),
        }
        thread::sleep(Duration::from_millis(100));
    }
    Err(format!("the guest does not answer: {last:?}; {}", guest.state()).into())
}

/// Reads a number of 64 bits from the guest's memory once it stands still.
fn read(guest: &Guest, address: u64) -> Result<u64, Failure> {
    let mut before = None;
    for _ in 0..100 {
        thread::sleep(Duration::from_millis(20));
        let words = words(guest, address, 2)?;
        let number = u64::from(words[1]) << 32 | u64::from(words[0]);
        if before == Some(number) {
            return Ok(number);
        }
        before = Some(number);
    }
    Err("the guest is never idle".into())
}

/// Words of the guest's memory.
fn words(guest: &Guest, address: u64, count: usize) -> Result<Vec<u32>, Failure> {
    let said = guest.command(&format!("xp /{count}wx {address:#x}"))?;
    let words = said.split_whitespace().filter_map(|word| word.strip_prefix("0x"));
    let words: Vec<u32> = words.filter_map(|word| u32::from_str_radix(word, 16).ok()).collect();
    // The command itself is repeated in what is said.
    match words.len().checked_sub(count) {
        Some(more) => Ok(words[more..].to_vec()),
        None => Err(format!("QEMU's monitor says {said:?}").into()),
    }
}

/// How far the stack has been used, in bytes.
fn stack_used(guest: &Guest, from: u64, to: u64) -> Result<u64, Failure> {
    let from = from.max(to.saturating_sub(STACK_BYTES_MAX));
    let file = std::env::temp_dir().join(format!("tenure-stack-{}", std::process::id()));
    let said = guest.command(&format!("pmemsave {from:#x} {:#x} \"{}\"", to - from, file.display()))?;
    let bytes = fs::read(&file).map_err(|error| format!("QEMU has not saved the stack: {error}: {said}"))?;
    let _ = fs::remove_file(&file);
    let painted = bytes.chunks_exact(4).take_while(|word| *word == PAINT.to_le_bytes()).count() as u64 * 4;
    Ok(to - from - painted)
}
