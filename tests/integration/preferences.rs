//! Uncertain conditions of a query, which are preferred rather than required.

use vitrine::nlu::understanding::{Constraint, Understanding};

use crate::evidence::{Row, Shop, conditions};

const ITEMS: [Row; 11] = [
    ("Plain Mug", "Kitchen > Mugs", "Contigo", "color=grey"),
    ("Thermo Mug", "Kitchen > Mugs", "Contigo", "color=black"),
    ("Tall Mug", "Kitchen > Mugs", "Contigo", "color=white"),
    ("Camping Mug", "Kitchen > Mugs", "Contigo", "color=green"),
    ("Espresso Mug", "Kitchen > Mugs", "Contigo", "color=red"),
    (
        "Rose Mug",
        "Kitchen > Mugs",
        "Contigo",
        "color=pink;gender=women",
    ),
    ("Crew Shirt", "Clothing > Shirts", "Gap", "gender=men"),
    ("Silk Shirt", "Clothing > Shirts", "Gap", "gender=women"),
    ("Reed Diffuser", "Home > Scents", "Muji", "color=brown"),
    ("Oil Diffuser", "Home > Scents", "Muji", "color=white"),
    ("Flash Diffuser", "Cameras > Lights", "Godox", "color=white"),
];

fn preferences(text: &str, shop: &Shop) -> (Vec<String>, String) {
    let understood = Understanding::with(text, &shop.vocabulary(), &[], shop);
    let preferred = understood
        .preferred
        .iter()
        .map(|part| match &part.constraint {
            Constraint::Must { field, value } => format!("{field}={value}"),
            other => format!("{other:?}"),
        });
    (preferred.collect(), understood.text.clone())
}

#[test]
fn a_recipient_is_preferred_where_few_items_tell_for_whom_they_are() {
    let shop = Shop::of(&ITEMS);
    let vocabulary = shop.vocabulary();
    let found = conditions("mug for my wife", &shop, &vocabulary);
    assert!(
        found.contains("category=Kitchen > Mugs") && found.len() == 1,
        "{found:?}"
    );
    let (preferred, _) = preferences("mug for my wife", &shop);
    assert_eq!(preferred, ["gender=women"]);
    // Shirts tell, so that the recipient is a condition.
    let found = conditions("shirt for my wife", &shop, &vocabulary);
    assert!(found.contains("gender=women"), "{found:?}");
    assert!(preferences("shirt for my wife", &shop).0.is_empty());
    // No mug is for men.
    assert!(preferences("mug for my dad", &shop).0.is_empty());
}

#[test]
fn a_category_of_most_but_not_all_titles_is_preferred() {
    let shop = Shop::of(&ITEMS);
    let (preferred, text) = preferences("diffuser", &shop);
    assert_eq!(preferred, ["category=Home > Scents"]);
    assert_eq!(text, "diffuser");
    assert!(conditions("diffuser", &shop, &shop.vocabulary()).is_empty());
}
