//! Texts of shoppers: queries and turns of dialogues.

use vitrine::{
    nlu::dialogue,
    schemas::{DialogueState, FilterSpec, ShownItem, UnderstandRequest},
};

use crate::shop::SHOP;

/// Turns of one dialogue.
const MAX_TURNS: usize = 6;

/// Understands a query, and counts the items that it means.
pub fn understanding(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let request = UnderstandRequest {
        text: text.to_owned(),
        without: Vec::new(),
    };
    let Ok(understood) = SHOP.collection.understand(&request) else {
        return;
    };
    let filter = FilterSpec::Tree(understood.filter);
    SHOP.collection
        .count(Some(&filter))
        .expect("a valid filter");
    // Without one of the fields, as if the shopper had removed it.
    if let Some(part) = understood.parts.first() {
        let without = vec![part.field.clone()];
        let request = UnderstandRequest { without, ..request };
        SHOP.collection
            .understand(&request)
            .expect("a shorter list of parts");
    }
}

/// Takes the turns of a dialogue, one a line; the first line may be a state in JSON.
pub fn dialogue(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let mut lines = text.lines();
    let mut state = DialogueState::default();
    let mut is_own = true;
    if text.starts_with('{') {
        let first = lines.next().unwrap_or_default();
        let Ok(sent) = serde_json::from_str(first) else {
            return;
        };
        (state, is_own) = (sent, false);
    }
    let shown = [("i0", 0.99), ("i1", 37.99), ("i5", 185.99), ("i12", 144.99)];
    let shown = shown.map(|(id, price)| ShownItem {
        id: id.to_owned(),
        price: Some(price),
    });
    for turn in lines.take(MAX_TURNS) {
        let Ok(taken) = SHOP.collection.interpret_turn(turn, &state, &shown) else {
            continue;
        };
        state = taken.after;
        let _ = dialogue::words(&state);
        let filter = FilterSpec::Tree(dialogue::filter(&state));
        let count = SHOP.collection.count(Some(&filter));
        if is_own {
            count.expect("a valid filter");
            SHOP.collection
                .relaxations(&state, None)
                .expect("relaxations");
        } else {
            let _ = SHOP.collection.relaxations(&state, None);
        }
    }
}
