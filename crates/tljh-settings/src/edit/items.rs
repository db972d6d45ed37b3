//! Items of a list, several in one edit, since each edit reads the whole text again.

use serde_json::Value;

use super::{Document, EditError, item_text, same_item, set_value};

impl Document {
    /// Adds an item at the end of the list at `path`, made if absent. Gives `false` where the item was
    /// there before; a number and the same digits as text are the same item.
    ///
    /// # Errors
    /// [`EditError::NotAList`], [`EditError::Unsafe`].
    pub fn add_item(&mut self, path: &[&str], item: &Value) -> Result<bool, EditError> {
        let there = self.add_items(path, std::slice::from_ref(item))?;
        Ok(there.is_empty())
    }

    /// Adds items at the end of the list at `path`, all or none, made if it is absent. Gives those
    /// that were there before.
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
        set_value(&mut expected, path, Value::Array(list.clone()));
        let editor = self.editor();
        // A list that a merge key brings in is written out where it is changed.
        let edited = editor
            .add_items(path, &added)
            .or_else(|| editor.set_absent(path, &list.into()));
        self.keep(path, expected, edited)?;
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
        let list = match self.get(path) {
            None => return Err(EditError::Absent { path: dotted() }),
            Some(Value::Array(list)) => list.clone(),
            Some(_) => return Err(EditError::NotAList { path: dotted() }),
        };
        let mut absent = Vec::new();
        // Of equal items the first goes first.
        let mut indexes = Vec::new();
        for item in items {
            let first = |(index, other): &(usize, &Value)| {
                same_item(other, item) && !indexes.contains(index)
            };
            match list.iter().enumerate().find(first) {
                Some((index, _)) => indexes.push(index),
                None => absent.push(item),
            }
        }
        if indexes.is_empty() {
            return Ok(absent);
        }
        indexes.sort_unstable();
        let left: Vec<Value> = list
            .iter()
            .enumerate()
            .filter(|(index, _)| !indexes.contains(index))
            .map(|(_, item)| item.clone())
            .collect();
        if left.is_empty() && list.len() > 1 {
            self.set(path, &Value::Array(left))?;
            return Ok(absent);
        }
        let editor = self.editor();
        let edited = if left.is_empty() {
            editor.remove_only_item(path)
        } else {
            editor.remove_items(path, &indexes)
        };
        if edited.is_none() && indexes.len() > 1 {
            // In brackets each item takes a comma with it, which depends on those beside it.
            let mut draft = self.clone();
            for item in items {
                draft.remove_items(path, std::slice::from_ref(item))?;
            }
            *self = draft;
            return Ok(absent);
        }
        let mut expected = self.value.clone();
        set_value(&mut expected, path, Value::Array(left));
        self.keep(path, expected, edited)?;
        Ok(absent)
    }

    /// Removes the first such item of the list at `path`. The list stays, even if empty.
    ///
    /// # Errors
    /// [`EditError::Absent`], [`EditError::NotAList`], [`EditError::NoSuchItem`], [`EditError::Unsafe`].
    pub fn remove_item(&mut self, path: &[&str], item: &Value) -> Result<(), EditError> {
        let absent = self.remove_items(path, std::slice::from_ref(item))?;
        if absent.is_empty() {
            return Ok(());
        }
        Err(EditError::NoSuchItem {
            path: path.join("."),
            item: item_text(item),
        })
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
