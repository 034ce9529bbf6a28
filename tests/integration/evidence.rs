//! Understanding and dialogues with the items of a made-up shop as evidence.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use roaring::RoaringBitmap;
use vitrine::{
    nlu::{
        catalog::Catalog,
        dialogue,
        understanding::{Constraint, FieldKind, PriceRange, Understanding, Vocabulary},
    },
    schemas::{ActKind, DialogueState, ShownItem},
};

/// Title, category, brand and further values of an item.
pub type Row = (&'static str, &'static str, &'static str, &'static str);

const ITEMS: [Row; 26] = [
    ("Organic Green Tea", "Food > Tea", "Lipton", "weight=100 g"),
    (
        "Jasmine Green Tea Bags",
        "Food > Tea",
        "Twinings",
        "weight=250 g",
    ),
    (
        "Crew Neck Shirt",
        "Clothing > Shirts",
        "Gap",
        "color=green;gender=men;size=M;size=2XL",
    ),
    (
        "Linen Shirt",
        "Clothing > Shirts",
        "Nike",
        "color=red;gender=women;size=XL;size=L",
    ),
    (
        "Orange Juice No Pulp",
        "Food > Juice",
        "Tropicana",
        "flavor=orange;capacity=1 L",
    ),
    (
        "Trail Shoe",
        "Shoes > Running Shoes",
        "Nike",
        "color=orange;gender=men;size=42",
    ),
    (
        "Road Shoe",
        "Shoes > Running Shoes",
        "Adidas",
        "color=black;gender=women;size=38",
    ),
    (
        "Red Wine Glasses Set of 6",
        "Kitchen > Glassware",
        "Bormioli",
        "material=crystal",
    ),
    (
        "White Noise Machine",
        "Home > Sleep Aids",
        "Dreamy",
        "color=grey",
    ),
    (
        "Travel Mug",
        "Kitchen > Mugs",
        "Contigo",
        "features=insulated;capacity=500 ml",
    ),
    ("Yoga Mat", "Sports > Yoga", "Keep", "color=purple"),
    (
        "Electric Kettle",
        "Kitchen > Appliances",
        "Philips",
        "capacity=1.7 L;color=white",
    ),
    (
        "Steel Kettle",
        "Kitchen > Appliances",
        "Bosch",
        "capacity=1 L;color=black",
    ),
    (
        "Ultrabook",
        "Electronics > Laptops",
        "Apple",
        "storage=256 GB;screen=13 inch",
    ),
    (
        "Workstation",
        "Electronics > Laptops",
        "Dell",
        "storage=512 GB;screen=15 inch",
    ),
    (
        "Building Bricks",
        "Toys > Building",
        "Lego",
        "age=3-6 years;pieces=600",
    ),
    (
        "Over-Ear Headphones",
        "Electronics > Headphones",
        "Sony",
        "battery=30 hours",
    ),
    (
        "Small Headphones",
        "Electronics > Headphones",
        "Sony",
        "battery=10 hours",
    ),
    ("Wooden Puzzle", "Toys > Puzzles", "Djeco", "age=1-2 years"),
    (
        "慢跑鞋",
        "鞋 > 跑步鞋",
        "耐克",
        "color=红色;gender=男;size=42;waterproof=true",
    ),
    (
        "轻便跑鞋",
        "鞋 > 跑步鞋",
        "李宁",
        "color=黑色;gender=女;size=38",
    ),
    ("折叠床", "家居 > 床", "宜家", "width=1.8米"),
    ("旗舰手机", "数码 > 手机", "小米", "storage=256GB"),
    ("大屏手机", "数码 > 手机", "华为", "storage=128GB"),
    ("龙井绿茶", "食品 > 茶叶", "西湖", "weight=200克"),
    ("保湿面霜", "美妆 > 护肤", "自然堂", "features=无酒精"),
];

pub struct Shop(Vec<BTreeMap<String, Vec<String>>>);

impl Shop {
    fn new() -> Self {
        Self::of(&ITEMS)
    }

    /// Returns a shop with the items.
    pub fn of(items: &[Row]) -> Self {
        let item = |(title, category, brand, others): &Row| {
            let mut item: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for (field, value) in [("title", title), ("category", category), ("brand", brand)] {
                item.insert(field.to_owned(), vec![(*value).to_owned()]);
            }
            for (field, value) in others.split(';').filter_map(|one| one.split_once('=')) {
                let values = item.entry(field.to_owned()).or_default();
                values.push(value.to_owned());
            }
            item
        };
        Self(items.iter().map(item).collect())
    }

    pub fn vocabulary(&self) -> Vocabulary {
        let values = self
            .0
            .iter()
            .flatten()
            .filter(|(field, _)| !["title", "waterproof"].contains(&field.as_str()));
        let values = values.flat_map(|(f, vs)| vs.iter().map(move |v| (f.as_str(), v.as_str())));
        let fields = [
            ("rating", FieldKind::Number),
            ("pieces", FieldKind::Number),
            ("in_stock", FieldKind::Bool),
            ("waterproof", FieldKind::Bool),
            ("release_date", FieldKind::Datetime),
        ];
        Vocabulary::new(values).with_fields(fields)
    }

    fn items(&self, is: impl Fn(&BTreeMap<String, Vec<String>>) -> bool) -> RoaringBitmap {
        let items = self.0.iter().enumerate().filter(|(_, item)| is(item));
        items.map(|(at, _)| at as u32).collect()
    }
}

/// Returns the words of a text, and each Chinese character.
fn words(text: &str) -> Vec<String> {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || "äöüß".contains(c);
    let mut words: Vec<String> = Vec::new();
    let mut joins = false;
    for c in text.to_lowercase().chars() {
        match words.last_mut() {
            Some(word) if joins && is_letter(c) => word.push(c),
            _ if c.is_alphanumeric() => words.push(c.to_string()),
            _ => {}
        }
        joins = is_letter(c);
    }
    let stem = |word: String| match word.strip_suffix('s') {
        Some(stem) if stem.len() > 2 => stem.to_owned(),
        _ => word,
    };
    words.into_iter().map(stem).collect()
}

impl Catalog for Shop {
    fn with_values(&self, field: &str, values: &[String]) -> RoaringBitmap {
        let is_one = |value: &String| {
            values.iter().any(|wanted| {
                let below = value.strip_prefix(wanted.as_str());
                below.is_some_and(|rest| rest.is_empty() || rest.starts_with(" > "))
            })
        };
        self.items(|item| {
            item.get(field)
                .is_some_and(|values| values.iter().any(is_one))
        })
    }

    fn with_field(&self, field: &str) -> RoaringBitmap {
        self.items(|item| item.contains_key(field))
    }

    fn has_within(&self, field: &str, bounds: &PriceRange, items: &RoaringBitmap) -> bool {
        let (from, to) = (
            bounds.gte.unwrap_or(f64::MIN),
            bounds.lte.unwrap_or(f64::MAX),
        );
        let within = self.items(|item| {
            let numbers = item.get(field).into_iter().flatten();
            let mut numbers = numbers.filter_map(|value| value.parse::<f64>().ok());
            numbers.any(|number| (from..=to).contains(&number))
        });
        !within.is_disjoint(items)
    }

    fn with_phrase(&self, phrase: &str, anywhere: bool) -> Option<RoaringBitmap> {
        let phrase = words(phrase);
        let says = |text: &String| words(text).windows(phrase.len()).any(|w| w == phrase);
        let fields = |field: &str| anywhere || field == "title";
        (!phrase.is_empty()).then(|| {
            self.items(|item| {
                let mut values = item.iter().filter(|(field, _)| fields(field));
                values.any(|(_, values)| values.iter().any(says))
            })
        })
    }

    fn most_common(&self, field: &str, items: &RoaringBitmap) -> Option<(String, u64)> {
        let mut counts: BTreeMap<&String, u64> = BTreeMap::new();
        for item in items {
            for value in self.0[item as usize].get(field).into_iter().flatten() {
                *counts.entry(value).or_default() += 1;
            }
        }
        let most = counts.into_iter().max_by_key(|(_, count)| *count)?;
        Some((most.0.clone(), most.1))
    }

    fn values_of(&self, item: &str, field: &str) -> Vec<String> {
        let item = item.parse::<usize>().ok().and_then(|at| self.0.get(at));
        item.and_then(|item| item.get(field).cloned())
            .unwrap_or_default()
    }
}

/// Returns the conditions of a text in short: `color=red -brand=Nike price<=50 sort=price`.
pub fn conditions(text: &str, shop: &Shop, vocabulary: &Vocabulary) -> BTreeSet<String> {
    let understood = Understanding::with(text, vocabulary, &[], shop);
    let bounds = |field: &str, range: &PriceRange| {
        let or_equal = if range.is_strict { "" } else { "=" };
        let low = range.gte.map(|x| format!("{field}>{or_equal}{x}"));
        let high = range.lte.map(|x| format!("{field}<{or_equal}{x}"));
        [low, high]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ")
    };
    let parts = understood.parts.iter().map(|part| match &part.constraint {
        Constraint::Must { field, value } => format!("{field}={value}"),
        Constraint::MustNot { field, value } => format!("-{field}={value}"),
        Constraint::Price(range) => bounds("price", range),
        Constraint::Range { field, bounds: b } => bounds(field, b),
        Constraint::Days { field, from, until } => {
            let day = |day: &Option<NaiveDate>| day.map_or_else(String::new, |d| d.to_string());
            format!("{field}={}..{}", day(from), day(until))
        }
        Constraint::Is { field, value } => format!("{field}={value}"),
        Constraint::Sort(sort) => format!("sort={}", sort.field),
    });
    parts.collect()
}

#[test]
fn words_are_conditions_if_items_bear_them_out() {
    let shop = Shop::new();
    let vocabulary = shop.vocabulary();
    let mut wrong = Vec::new();
    for (text, expected) in [
        ("green tea", "category=Food > Tea"),
        ("green shirt", "category=Clothing > Shirts|color=green"),
        ("orange juice", "category=Food > Juice|flavor=orange"),
        ("red wine glasses", "category=Kitchen > Glassware"),
        ("white noise machine", ""),
        ("keep coffee hot in a mug", "category=Kitchen > Mugs"),
        ("yoga mat from keep", "brand=Keep|category=Sports > Yoga"),
        ("kettle", "category=Kitchen > Appliances"),
        ("lego with more than 500 pieces", "brand=Lego|pieces>500"),
        ("shirt 6 pieces", "category=Clothing > Shirts"),
        (
            "laptop bigger than 13 inches",
            "category=Electronics > Laptops|screen=15 inch",
        ),
        (
            "laptop 512g",
            "category=Electronics > Laptops|storage=512 GB",
        ),
        (
            "headphones with at least 20 hours of battery",
            "battery=30 hours|category=Electronics > Headphones",
        ),
        ("shirt XL", "category=Clothing > Shirts|size=XL"),
        (
            "laptop with at least 256 gb",
            "category=Electronics > Laptops|storage=256 GB|storage=512 GB",
        ),
        (
            "laptop 13\"",
            "category=Electronics > Laptops|screen=13 inch",
        ),
        ("toys for my 4 year old son", "category=Toys|age=3-6 years"),
        (
            "running shoes for my wife",
            "category=Shoes > Running Shoes|category=鞋 > 跑步鞋|gender=women|gender=女",
        ),
        (
            "kettle under ten dollars",
            "category=Kitchen > Appliances|price<=10",
        ),
        (
            "tea from 5 up to 13",
            "category=Food > Tea|price>=5 price<=13",
        ),
        (
            "kettle at least 4 stars",
            "category=Kitchen > Appliances|rating>=4",
        ),
        (
            "cheapest kettle",
            "category=Kitchen > Appliances|sort=price",
        ),
        ("best rated tea", "category=Food > Tea|sort=rating"),
        (
            "laptops in stock",
            "category=Electronics > Laptops|in_stock=true",
        ),
        (
            "shirt w/o red",
            "category=Clothing > Shirts|-color=red|-color=红色",
        ),
        (
            "shirt -red",
            "category=Clothing > Shirts|-color=red|-color=红色",
        ),
        (
            "lapto that isn't from dell",
            "category=Electronics > Laptops|-brand=Dell",
        ),
        (
            "don't want to spend more than 30 on a mug",
            "category=Kitchen > Mugs|price<=30",
        ),
        ("耐克的鞋", "brand=耐克|category=鞋"),
        ("手机 小米的就算了", "category=数码 > 手机|-brand=小米"),
        (
            "手机 三百到五百",
            "category=数码 > 手机|price>=300 price<=500",
        ),
        (
            "一千块左右的手机",
            "category=数码 > 手机|price>=800 price<=1200",
        ),
        ("1米8的床", "category=家居 > 床|width=1.8米"),
        ("256G的手機", "category=数码 > 手机|storage=256GB"),
        (
            "给爸爸买42码的跑步鞋",
            "category=鞋 > 跑步鞋|category=Shoes > Running Shoes|gender=男|gender=men|size=42",
        ),
        ("最便宜的手机", "category=数码 > 手机|sort=price"),
        ("不含酒精的面霜", "category=美妆 > 护肤|features=无酒精"),
        ("评分4.5以上的手机", "category=数码 > 手机|rating>=4.5"),
        ("评分高于4.5的手机", "category=数码 > 手机|rating>4.5"),
        (
            "kettle with more than 4 stars",
            "category=Kitchen > Appliances|rating>4",
        ),
        (
            "waterproof running shoes",
            "category=鞋 > 跑步鞋|waterproof=true",
        ),
        ("防水的跑步鞋", "category=鞋 > 跑步鞋|waterproof=true"),
        (
            "running shoes that are not waterproof",
            "category=Shoes > Running Shoes|category=鞋 > 跑步鞋|-waterproof=true",
        ),
        (
            "laptops that are sold out",
            "category=Electronics > Laptops|in_stock=false",
        ),
        ("缺货的手机", "category=数码 > 手机|in_stock=false"),
        (
            "shirt in red or purple",
            "category=Clothing > Shirts|color=purple|color=red",
        ),
        ("shirt, large", "category=Clothing > Shirts|size=L"),
        (
            "laptops released after june 2025",
            "category=Electronics > Laptops|release_date=2025-07-01..",
        ),
        (
            "2026年上市的手机",
            "category=数码 > 手机|release_date=2026-01-01..2027-01-01",
        ),
        // One title may use any word.
        ("workstation", ""),
        // No kind is named, and much else is said.
        ("a weekend in the black forest with friends", ""),
        (
            "kettles by price, high to low",
            "category=Kitchen > Appliances|sort=price",
        ),
        (
            "kettle rated above 4 stars",
            "category=Kitchen > Appliances|rating>4",
        ),
        (
            "kettle rated 4 and above",
            "category=Kitchen > Appliances|rating>=4",
        ),
    ] {
        let expected = expected.split('|').filter(|one| !one.is_empty());
        let expected: BTreeSet<String> = expected.map(str::to_owned).collect();
        let found = conditions(text, &shop, &vocabulary);
        if found != expected {
            wrong.push(format!("{text}: {found:?}, not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn turns_about_nothing_in_the_shop_change_nothing() {
    let shop = Shop::new();
    let vocabulary = shop.vocabulary();
    let shown: Vec<ShownItem> = ["5", "6", "17"]
        .map(|id| ShownItem {
            id: id.to_owned(),
            price: Some(50.0),
        })
        .into();
    let interpret = |text: &str, state: &DialogueState| {
        dialogue::interpret_turn(text, &vocabulary, state, &shown, Some(&shop))
    };
    let state = interpret("running shoes", &DialogueState::default()).after;
    assert_eq!(state.filters.len(), 1, "{state:?}");
    for text in [
        "how long does delivery take?",
        "what's the weather like",
        "asdf qwerty",
        "the 25th one",
        "do you have a store near me",
        "什么时候能到货",
        "给我讲个笑话",
        "第二十个",
        "第一个会不会太大",
    ] {
        let turn = interpret(text, &state);
        assert!(!turn.unclear.is_empty(), "{text}: {turn:?}");
        assert_eq!(turn.after, state, "{text}");
    }
    for (text, kind) in [
        ("show me more", ActKind::More),
        ("还有吗", ActKind::More),
        ("is the first lighter than the second?", ActKind::Compare),
        ("第一个和第三个哪个便宜", ActKind::Compare),
        ("前两个对比一下", ActKind::Compare),
        ("compare one and three for me", ActKind::Compare),
        ("nah go back", ActKind::Undo),
        ("算了", ActKind::Undo),
    ] {
        let turn = interpret(text, &state);
        let kinds: Vec<_> = turn.acts.iter().map(|act| act.kind).collect();
        assert_eq!((kinds, &turn.after), (vec![kind], &state), "{text}");
    }
    let sorted = interpret("cheapest first please", &state).after;
    assert_eq!(sorted.sort.map(|sort| sort.field).as_deref(), Some("price"));
    let other = interpret("not this brand", &state).after;
    let excluded = other.filters.iter().find(|f| f.negated);
    assert_eq!(
        excluded.map(|f| f.values.clone()),
        Some(vec!["Nike".to_owned()])
    );
    let allowed = interpret("nike is fine after all", &other).after;
    assert!(allowed.filters.iter().all(|f| !f.negated), "{allowed:?}");
    let changed = interpret("I changed my mind, show me mugs", &other).after;
    let fields: Vec<_> = changed.filters.iter().map(|f| f.field.as_str()).collect();
    assert_eq!(fields, ["category"], "{changed:?}");
    let toys = interpret("toys", &DialogueState::default()).after;
    let aged = interpret("she is 5", &toys).after;
    let age = aged.filters.iter().find(|f| f.field == "age");
    assert_eq!(
        age.map(|f| f.values.clone()),
        Some(vec!["3-6 years".to_owned()])
    );
    let black = interpret("could it be in black", &state).after;
    assert_eq!(
        black.filters.len(),
        2,
        "a wish in the form of a question: {black:?}"
    );
    let sorted = interpret("put the cheapest at the top", &state).after;
    assert!(sorted.like.is_none() && sorted.sort.is_some(), "{sorted:?}");
    let pricier = interpret("dearer than the first", &state).after;
    assert!(
        pricier.filters.iter().any(|f| f.range.is_some()),
        "{pricier:?}"
    );
    let pricier = interpret("比第一个贵的", &state).after;
    let price = pricier.filters.iter().find_map(|f| f.range.clone());
    assert!(price.is_some_and(|price| price.gt.is_some()), "{pricier:?}");
    let cheap = interpret("it mustn't cost over 100", &state).after;
    let price = cheap.filters.iter().find_map(|f| f.range.clone());
    assert!(price.is_some_and(|price| price.lte.is_some()), "{cheap:?}");
    let mugs = interpret("none of these fit, start over, show me mugs", &black).after;
    let fields: Vec<_> = mugs.filters.iter().map(|f| f.field.as_str()).collect();
    assert_eq!(fields, ["category"], "{mugs:?}");
    let black = interpret("in black, honestly speaking", &state).after;
    assert_eq!(black.text, "", "words of no item are dropped: {black:?}");
}
