//! German queries and turns with the items of a made-up shop as evidence.

use std::collections::BTreeSet;

use vitrine::{
    nlu::dialogue,
    schemas::{ActKind, DialogueState, ShownItem},
};

use crate::evidence::{Row, Shop, conditions};

const ITEMS: [Row; 17] = [
    (
        "Leichter Laufschuh",
        "Schuhe > Laufschuhe",
        "Nike",
        "color=rot;gender=Herren;size=42",
    ),
    (
        "Stabiler Laufschuh",
        "Schuhe > Laufschuhe",
        "Adidas",
        "color=schwarz;gender=Damen;size=38",
    ),
    (
        "Chelsea Boots",
        "Schuhe > Stiefel",
        "Nike",
        "color=braun;material=Leder;gender=Damen;size=39",
    ),
    (
        "Sommerkleid mit Streifen",
        "Kleidung > Kleider",
        "Esprit",
        "color=blau;material=Baumwolle;gender=Damen;size=M",
    ),
    (
        "Strickpullover",
        "Kleidung > Pullover",
        "Esprit",
        "color=grau;material=Wolle;gender=Herren;size=XL",
    ),
    (
        "Grüner Tee",
        "Lebensmittel > Tee",
        "Teekanne",
        "weight=100 g",
    ),
    (
        "Limonade Zitrone",
        "Lebensmittel > Getränke",
        "Bionade",
        "features=zuckerfrei;capacity=1,5 Liter",
    ),
    (
        "Orangensaft",
        "Lebensmittel > Getränke",
        "Valensina",
        "capacity=1 Liter",
    ),
    (
        "Wasserkocher",
        "Küche > Kleingeräte",
        "Bosch",
        "color=weiß;capacity=1,7 Liter",
    ),
    (
        "Wasserkocher für die Reise",
        "Küche > Kleingeräte",
        "Tefal",
        "color=weiß;capacity=0,5 Liter",
    ),
    (
        "Reisewasserkocher",
        "Küche > Kleingeräte",
        "Philips",
        "color=schwarz;capacity=0,5 Liter",
    ),
    (
        "Ultrabook",
        "Elektronik > Laptops",
        "Apple",
        "storage=256 GB;screen=13 Zoll",
    ),
    (
        "Workstation",
        "Elektronik > Laptops",
        "Dell",
        "storage=512 GB;screen=15 Zoll",
    ),
    (
        "Bausteine Feuerwehr",
        "Spielzeug > Bausteine",
        "Lego",
        "age=3-6 Jahre;pieces=600",
    ),
    (
        "Holzpuzzle Tiere",
        "Spielzeug > Puzzles",
        "Eichhorn",
        "age=ab 6 Jahren;material=Holz",
    ),
    (
        "Esstisch",
        "Möbel > Tische",
        "Hülsta",
        "material=Holz;width=1,8 m",
    ),
    (
        "Galaxy",
        "Elektronik > Smartphones",
        "Samsung",
        "storage=256 GB",
    ),
];

#[test]
fn german_words_are_conditions_if_items_bear_them_out() {
    let shop = Shop::of(&ITEMS);
    let vocabulary = shop.vocabulary();
    let mut wrong = Vec::new();
    for (text, expected) in [
        ("grüner Tee", "category=Lebensmittel > Tee"),
        (
            "rote Laufschuhe unter 80 Euro",
            "category=Schuhe > Laufschuhe|color=rot|price<=80",
        ),
        (
            "Lederstiefel für Damen",
            "category=Schuhe > Stiefel|material=Leder|gender=Damen",
        ),
        (
            "Damenlaufschuhe in Größe 38",
            "category=Schuhe > Laufschuhe|gender=Damen|size=38",
        ),
        ("Wasserkocher", "category=Küche > Kleingeräte"),
        (
            "Getränke ohne Zucker",
            "category=Lebensmittel > Getränke|features=zuckerfrei",
        ),
        (
            "Laptop 13 Zoll",
            "category=Elektronik > Laptops|screen=13 Zoll",
        ),
        (
            "Laptop mit mindestens 500 GB",
            "category=Elektronik > Laptops|storage=512 GB",
        ),
        (
            "Wasserkocher 1,7 l",
            "category=Küche > Kleingeräte|capacity=1,7 Liter",
        ),
        (
            "Spielzeug für meinen vierjährigen Sohn",
            "category=Spielzeug|age=3-6 Jahre",
        ),
        (
            "Spielzeug für meine siebenjährige Tochter",
            "category=Spielzeug|age=ab 6 Jahren",
        ),
        (
            "Pullover für meinen Mann",
            "category=Kleidung > Pullover|gender=Herren",
        ),
        (
            "Smartphone, aber nicht von Samsung",
            "category=Elektronik > Smartphones|-brand=Samsung",
        ),
        (
            "Wasserkocher mit mindestens 4 Sternen",
            "category=Küche > Kleingeräte|rating>=4",
        ),
        (
            "der günstigste Wasserkocher",
            "category=Küche > Kleingeräte|sort=price",
        ),
        (
            "am besten bewertete Laptops auf Lager",
            "category=Elektronik > Laptops|sort=rating|in_stock=true",
        ),
        (
            "Tisch aus Holz zwischen zweihundert und fünfhundert Euro",
            "category=Möbel > Tische|material=Holz|price>=200 price<=500",
        ),
        ("Lego mit mehr als 500 Teilen", "brand=Lego|pieces>500"),
    ] {
        let expected: BTreeSet<String> = expected.split('|').map(str::to_owned).collect();
        let found = conditions(text, &shop, &vocabulary);
        if found != expected {
            wrong.push(format!("{text}: {found:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn german_turns_do_what_they_say() {
    let shop = Shop::of(&ITEMS);
    let vocabulary = shop.vocabulary();
    let shown: Vec<ShownItem> = ["0", "1", "2"]
        .map(|id| ShownItem {
            id: id.to_owned(),
            price: Some(50.0),
        })
        .into();
    let interpret = |text: &str, state: &DialogueState| {
        dialogue::interpret_turn(text, &vocabulary, state, &shown, Some(&shop))
    };
    let state = interpret("Laufschuhe", &DialogueState::default()).after;
    assert_eq!(state.filters.len(), 1, "{state:?}");
    for (text, kind) in [
        ("zeig mir mehr", ActKind::More),
        ("gibt es noch andere?", ActKind::More),
        ("ist das erste leichter als das zweite?", ActKind::Compare),
        ("vergleiche das erste und das dritte", ActKind::Compare),
        ("vergleiche die ersten beiden", ActKind::Compare),
        ("zurück", ActKind::Undo),
        ("doch nicht", ActKind::Undo),
    ] {
        let turn = interpret(text, &state);
        let kinds: Vec<_> = turn.acts.iter().map(|act| act.kind).collect();
        assert_eq!((kinds, &turn.after), (vec![kind], &state), "{text}");
    }
    for text in [
        "wie lange dauert die Lieferung?",
        "wie wird das Wetter morgen",
        "das fünfundzwanzigste Modell",
        "erzähl mir einen Witz",
        "blubb bla",
    ] {
        let turn = interpret(text, &state);
        assert!(!turn.unclear.is_empty(), "{text}: {turn:?}");
        assert_eq!(turn.after, state, "{text}");
    }
    let other = interpret("nicht diese Marke", &state).after;
    let excluded = other.filters.iter().find(|f| f.negated);
    assert_eq!(
        excluded.map(|f| f.values.clone()),
        Some(vec!["Nike".to_owned()])
    );
    let sorted = interpret("die billigsten zuerst bitte", &state).after;
    assert_eq!(sorted.sort.map(|sort| sort.field).as_deref(), Some("price"));
    let fresh = interpret("vergiss das alles", &other).after;
    assert_eq!(fresh, DialogueState::default());
}
