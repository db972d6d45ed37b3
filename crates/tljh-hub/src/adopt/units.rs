//! Changes that an administrator made of upstream's hub unit, by `systemctl edit`.

use std::path::Path;

use tljh_machine::{Paths, files};

use super::error::AdoptError;

/// Drop-ins that say what the unit runs are about another program now.
const OF_THE_PROGRAM: [&str; 4] = [
    "Exec",
    "WorkingDirectory",
    "/opt/tljh/hub",
    "/opt/tljh/state",
];

/// Takes over those drop-ins of the hub's unit that hold for any hub; tells of the others.
pub fn take(paths: &Paths) -> Result<Vec<String>, AdoptError> {
    let kept = paths.upstream().join("units");
    let mut told = Vec::new();
    for unit in ["jupyterhub.service.d", "traefik.service.d"] {
        let folder = kept.join(unit);
        if !folder.is_dir() {
            continue;
        }
        for drop_in in files::list_folder(&folder)? {
            let name = drop_in.file_name().unwrap_or_default();
            if unit.starts_with("jupyterhub") && holds_for_any_hub(&drop_in) {
                let to = paths.local_units().join(unit);
                files::ensure_folder(&to, 0o755)?;
                let text = files::read(&drop_in)?;
                files::write_atomically(&to.join(name), text.as_bytes(), 0o644)?;
                told.push(format!("the hub's unit keeps {unit}/{}", name.display()));
            } else {
                told.push(format!(
                    "not used, since it is about another program: {}",
                    drop_in.display()
                ));
            }
        }
    }
    Ok(told)
}

fn holds_for_any_hub(drop_in: &Path) -> bool {
    files::read(drop_in).is_ok_and(|text| !OF_THE_PROGRAM.iter().any(|word| text.contains(word)))
}
