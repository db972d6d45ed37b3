//! A file's values with the defaults beside them.

use serde_json::{Map, Value};

use crate::key::{KEYS, exact, is_section};

/// The values of `root`, as the file writes them, and the default of every key that it does not set.
///
/// A known key that is `null` counts as not set. The keys of upstream's proxy are left out where the file
/// does not set them.
pub fn effective(root: &Value) -> Value {
    let mut tree = Value::Object(Map::new());
    for key in KEYS
        .iter()
        .filter(|key| !key.name.contains('<') && !key.name.starts_with("traefik"))
    {
        put(&mut tree, key.name, key.default.value());
    }
    overlay(&mut tree, root, "");
    tree
}

fn put(tree: &mut Value, name: &str, value: Value) {
    let mut place = tree;
    for part in name.split('.') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(object) = place else { return };
        place = object.entry(part).or_insert(Value::Null);
    }
    *place = value;
}

fn overlay(tree: &mut Value, value: &Value, name: &str) {
    match (&mut *tree, value) {
        (Value::Object(tree), Value::Object(object)) => {
            for (part, value) in object {
                let name = if name.is_empty() {
                    part.clone()
                } else {
                    format!("{name}.{part}")
                };
                overlay(tree.entry(part).or_insert(Value::Null), value, &name);
            }
        }
        (_, Value::Null) if name.is_empty() || exact(name).is_some() || is_section(name) => {}
        _ => *tree = value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Settings;

    #[test]
    fn the_files_values_stand_in_front_of_the_defaults() {
        let file =
            json!({"limits": {"memory": "2G", "cpu": null}, "http": null, "plugin": {"a": [1]}});
        let tree = effective(&file);
        assert_eq!(tree["limits"], json!({"memory": "2G", "cpu": null}));
        assert_eq!(tree["http"]["port"], json!(80));
        assert_eq!(tree["http"]["trusted_proxies"], json!([]));
        assert_eq!(tree["plugin"], json!({"a": [1]}));
        assert_eq!(tree["services"]["cull"]["timeout"], json!(600));
        assert_eq!(tree.get("traefik_api"), None);
    }

    #[test]
    fn the_tree_means_what_the_file_means() {
        let text =
            "limits: {memory: 2G}\nusers: {admin: [ada], extra_user_groups: {video: [ada]}}\n";
        let tree = effective(&crate::parse_yaml(text).unwrap());
        let again = Settings::parse(&tree.to_string()).unwrap();
        assert!(again == Settings::parse(text).unwrap());
    }
}
