//! Lists the modules of the proxy, which is a program and no library.

use std::path::Path;

fn main() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src");
    let main = std::fs::read_to_string(source.join("main.rs")).unwrap();
    let modules = main
        .lines()
        .filter(|line| line.starts_with("mod ") && line.ends_with(';'));
    let modules: String = modules.map(|line| format!("pub {line}\n")).collect();
    let text = format!("#[path = {source:?}]\nmod proxy {{\n{modules}}}\nuse proxy::*;\n");
    let folder = std::env::var("OUT_DIR").unwrap();
    std::fs::write(Path::new(&folder).join("modules.rs"), text).unwrap();
    println!("cargo::rerun-if-changed=../src/main.rs");
}
