//! The committed page of keys is the rendered one.

use std::path::Path;

const BEGIN: &str = "<!-- keys: rendered from crates/tljh-settings/src/key.rs -->\n";
const END: &str = "<!-- end of keys -->\n";

/// `TLJH_UPDATE_DOCS=1` writes the table into the page in place of comparing.
#[test]
fn the_page_of_keys_equals_the_table() {
    let path = Path::new("../../docs/configuration.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (head, rest) = page.split_once(BEGIN).unwrap();
    let (table, tail) = rest.split_once(END).unwrap();
    let rendered = format!("\n{}\n", tljh_settings::render_reference());
    if std::env::var_os("TLJH_UPDATE_DOCS").is_some() {
        std::fs::write(path, format!("{head}{BEGIN}{rendered}{END}{tail}")).unwrap();
        return;
    }
    assert_eq!(
        table, rendered,
        "run `TLJH_UPDATE_DOCS=1 cargo test -p tljh-settings --test reference`"
    );
}
