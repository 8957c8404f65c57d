//! JSON both ways: instructions of a POST whose body has three fields, and whose answer has three.

use std::fs;

use crate::{
    Failure,
    client::Client,
    contender::{Contender, JSON, Programs},
    figures::thousands,
    instructions::{CALLGRIND, FEW, MANY, collected, is_there},
    machine,
    options::Options,
    requests,
    run::{compiler, contenders, date},
    server::Server,
    table::table,
};

/// What is answered to [`requests::JSON`].
const ANSWER: &str = r#"{"a":70001,"b":"lamp","c":true}"#;

pub(crate) fn run(programs: &Programs, options: &Options) -> Result<(), Failure> {
    if !is_there() {
        return Err("there is no valgrind: `apt-get install valgrind`".into());
    }
    let mut rows = Vec::new();
    for contender in contenders(&JSON, options, programs)? {
        verify(contender, programs)?;
        let (few, many) = (count(contender, programs, FEW)?, count(contender, programs, MANY)?);
        let instructions = (many as f64 - few as f64) / f64::from(MANY - FEW);
        eprintln!("{}: {}", contender.name, thousands(instructions));
        rows.push(vec![contender.name.to_owned(), thousands(instructions)]);
    }
    let mut text = format!(
        "Counted on {} with `{}`: {}; {}. A POST of a JSON object with a number, a text and a `bool`, read by serde's derived code and \
         answered by such an object; the server owns the text. Instructions are those in user space, by callgrind: the slope from {FEW} to \
         {} requests. What else the machine does changes none of them.\n\n",
        date()?,
        options.typed,
        machine::description(),
        compiler()?,
        thousands(MANY.into()),
    );
    table(&mut text, &["server", "instructions per POST"].map(str::to_owned), &rows);
    println!("{text}");
    if let Some(out) = &options.out {
        fs::create_dir_all(out)?;
        fs::write(out.join("json.md"), text)?;
        eprintln!("written: {}/json.md", out.display());
    }
    Ok(())
}

/// Whether a server does what is to be counted.
fn verify(contender: Contender, programs: &Programs) -> Result<(), Failure> {
    let server = Server::start(contender, programs, None, &[])?;
    let mut client = Client::connect(server.address)?;
    for _ in 0..2 {
        let answer = client.ask(requests::JSON)?;
        if answer != ANSWER {
            return Err(format!("{} answers {answer:?}, not {ANSWER:?}", contender.name).into());
        }
    }
    Ok(())
}

/// All instructions of a server that answers so many requests.
fn count(contender: Contender, programs: &Programs, requests: u32) -> Result<u64, Failure> {
    let server = Server::start(contender, programs, None, &CALLGRIND)?;
    let mut client = Client::connect(server.address)?;
    for _ in 0..requests {
        client.ask(requests::JSON)?;
    }
    collected(server)
}
