//! Many items of one list in one edit, since each edit reads the whole text again.

use serde_json::Value;

use super::text::{find_entry, node_of};
use super::{Document, EditError, same_item, set_value};

impl Document {
    /// Adds items at the end of the list at `path`, as [`Document::add_item`] does one, all or none. Gives
    /// those that were there before.
    ///
    /// # Errors
    /// [`EditError::NotAList`], [`EditError::Unsafe`].
    pub fn add_items<'item>(
        &mut self,
        path: &[&str],
        items: &'item [Value],
    ) -> Result<Vec<&'item Value>, EditError> {
        let mut list = match self.get(path) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(list)) => list.clone(),
            Some(_) => {
                return Err(EditError::NotAList {
                    path: path.join("."),
                });
            }
        };
        let before = list.len();
        let mut there = Vec::new();
        for item in items {
            if list.iter().any(|other| same_item(other, item)) {
                there.push(item);
            } else {
                list.push(item.clone());
            }
        }
        // Named twice in one command is no news about the list.
        there.retain(|item| !list[before..].iter().any(|other| same_item(other, item)));
        let added = list[before..].to_vec();
        if added.is_empty() {
            return Ok(there);
        }
        if before == 0 {
            self.set(path, &Value::Array(list))?;
            return Ok(there);
        }
        let mut expected = self.value.clone();
        set_value(&mut expected, path, Value::Array(list));
        self.change(path, expected, |tree| {
            let value = find_entry(tree, path)?.value_node()?;
            let sequence = value.as_sequence()?;
            for item in &added {
                sequence.push(&node_of(item)?);
            }
            Some(())
        })?;
        Ok(there)
    }

    /// Removes the first of each of `items` from the list at `path`, as [`Document::remove_item`] does one,
    /// all or none. Gives those that were not there.
    ///
    /// # Errors
    /// [`EditError::Absent`], [`EditError::NotAList`], [`EditError::Unsafe`].
    pub fn remove_items<'item>(
        &mut self,
        path: &[&str],
        items: &'item [Value],
    ) -> Result<Vec<&'item Value>, EditError> {
        let dotted = || path.join(".");
        let mut list = match self.get(path) {
            None => return Err(EditError::Absent { path: dotted() }),
            Some(Value::Array(list)) => list.clone(),
            Some(_) => return Err(EditError::NotAList { path: dotted() }),
        };
        let mut absent = Vec::new();
        // Each index holds when those before it are done.
        let mut indexes = Vec::new();
        for item in items {
            match list.iter().position(|other| same_item(other, item)) {
                Some(index) => {
                    list.remove(index);
                    indexes.push(index);
                }
                None => absent.push(item),
            }
        }
        if indexes.is_empty() {
            return Ok(absent);
        }
        if list.is_empty() {
            self.set(path, &Value::Array(list))?;
            return Ok(absent);
        }
        let mut expected = self.value.clone();
        set_value(&mut expected, path, Value::Array(list));
        self.change(path, expected, |tree| {
            let value = find_entry(tree, path)?.value_node()?;
            let sequence = value.as_sequence()?;
            for index in indexes {
                sequence.remove(index)?;
            }
            Some(())
        })?;
        Ok(absent)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const LISTS: &[&str] = &[
        "users:\n  allowed:\n  - ada # one\n  # about bob\n  - bob\n\n# tail\n",
        "users: {allowed: [ada, bob]} # flow\n",
        "users:\r\n  allowed: [ada, # one\r\n    bob]\r\n",
        "users:\n  allowed:\n      - 'ada'\n      - bob",
        "users: {allowed: []}\n",
        "# nobody\n",
    ];

    /// As one edit after the other; equal texts, equal reports.
    #[test]
    fn many_items_in_one_edit_leave_what_one_edit_each_leaves() {
        let path = ["users", "allowed"];
        let items = [json!("eve"), json!("ada"), json!("007"), json!("kim")];
        for text in LISTS {
            let mut one_by_one = Document::parse(text).unwrap();
            let mut at_once = one_by_one.clone();
            let mut there = Vec::new();
            for item in &items {
                if !one_by_one.add_item(&path, item).unwrap() {
                    there.push(item);
                }
            }
            assert_eq!(at_once.add_items(&path, &items).unwrap(), there, "{text}");
            assert_eq!(at_once.value(), one_by_one.value(), "{text}");
            if !there.is_empty() {
                assert_eq!(at_once.to_string(), one_by_one.to_string());
            }
            let gone = [json!("ada"), json!("nobody"), json!("kim"), json!("eve")];
            let mut absent = Vec::new();
            for item in &gone {
                match one_by_one.remove_item(&path, item) {
                    Ok(()) => {}
                    Err(EditError::NoSuchItem { .. }) => absent.push(item),
                    Err(error) => panic!("{error}"),
                }
            }
            assert_eq!(
                at_once.remove_items(&path, &gone).unwrap(),
                absent,
                "{text}"
            );
            assert_eq!(at_once.value(), one_by_one.value(), "{text}");
            if !there.is_empty() {
                assert_eq!(at_once.to_string(), one_by_one.to_string());
            }
        }
    }

    #[test]
    fn an_item_named_twice_is_added_once_without_a_notice() {
        let mut document = Document::parse("").unwrap();
        let items = [json!("ada"), json!("ada")];
        assert!(document.add_items(&["a"], &items).unwrap().is_empty());
        assert_eq!(document.value(), &json!({"a": ["ada"]}));
    }
}
