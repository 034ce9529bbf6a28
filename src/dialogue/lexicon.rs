//! What shoppers say of a search that is under way, in English and Chinese, whatever the shop sells.

use std::{collections::HashMap, sync::LazyLock};

use crate::understanding::token::{Token, key, tokens};

/// What a phrase does in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phrase {
    /// All is taken away.
    Reset,
    /// The turn before is taken back; said alone.
    Undo,
    /// Prices below those seen.
    Cheaper,
    /// Prices above those seen.
    Pricier,
    /// Between "cheaper" and what it is compared with.
    Than,
    /// Before the item whose price is compared (比).
    Compared,
    /// Before an item that hits shall be like.
    Like,
    /// Before such an item, where another word says that it is to be like it (和第二个类似).
    With,
    /// After such an item.
    Alike,
    /// After an item that is not wanted.
    Unwanted,
    /// After prices that would do too.
    Okay,
    /// An item that is not named by its place ("more like this").
    This,
    /// Before an item that is not wanted.
    Not,
    /// Before a field of which nothing shall hold any more.
    Any,
    /// After such a field.
    NoMatter,
    /// After a field that was said to be free ("any colour is fine").
    Fine,
    /// Between the parts of "no price limit".
    Limit,
    /// All conditions are taken away.
    AnyAll,
    /// Before a value that need not be.
    NeedNot,
    /// Values are added.
    Also,
    /// As [`Phrase::Also`], at the beginning.
    Or,
    /// What is said takes the place of what was.
    Instead,
    /// Says nothing, alone or before a comma.
    Polite,
    /// Says nothing, at the beginning or the end of what is left.
    Filler,
    /// Says nothing, at the end of what is left.
    Closing,
}

#[rustfmt::skip] // Else each word has a line of its own.
const PHRASES: &[(Phrase, &[&str])] = &[
    (Phrase::Reset, &[
        "start it over", "let's start again", "let's restart", "restart", "clean slate", "begin from scratch",
        "重新开始吧", "重新来过", "从新开始", "再来一遍", "清除所有", "全部取消", "重新选", "重新挑", "start over",
        "start again", "start afresh", "start from scratch", "start anew", "begin again", "begin anew", "new search",
        "start a new search", "reset", "reset search", "reset everything", "clear", "clear all", "clear everything",
        "clear search", "forget everything", "forget it all", "forget all that", "from scratch", "from the beginning",
        "let's start over", "重新开始", "从头开始", "从头再来", "从头来", "重来", "重新来", "重新搜索", "重新搜",
        "重新找", "重置", "清空", "全部清空", "全部清除", "清除全部", "清空条件", "新的搜索", "全部重来",
    ]),
    (Phrase::Undo, &[
        "take back", "undo the last", "undo last turn", "undo previous", "go one step back", "revert last",
        "回到上一个", "回上一步", "退回上一步", "撤销刚才", "撤销刚才的", "取消刚才", "恢复", "恢复上一步",
        "后退一步", "undo", "undo that", "undo it", "undo this", "undo last", "undo the last one",
        "undo the last step", "go back", "back", "step back", "go back one step", "one step back", "previous",
        "previous step", "take that back", "take it back", "revert", "revert that", "scratch that", "never mind",
        "cancel that", "撤销", "撤回", "撤消", "返回", "后退", "回退", "上一步", "返回上一步", "回到上一步", "退回",
        "退回上一步", "取消上一步", "撤销上一步", "取消刚才的", "刚才的不算", "算了",
    ]),
    (Phrase::Cheaper, &[
        "a bit expensive", "a bit pricey", "bit expensive", "bit pricey", "a little expensive", "a little pricey",
        "little expensive", "little pricey", "a bit too expensive", "a bit too pricey", "a little too expensive",
        "a little too pricey", "quite expensive", "quite pricey", "rather expensive", "rather pricey",
        "pretty expensive", "pretty pricey", "very expensive", "very pricey", "so expensive", "so pricey",
        "still too expensive", "still too pricey", "way too expensive", "way too pricey", "pricey", "over my budget",
        "out of my budget", "out of my price range", "cheaper option", "cheaper alternative", "lower budget",
        "for less", "for less money", "超预算", "超出预算", "预算不够", "买不起", "有点小贵", "贵了点", "贵了一点",
        "稍微便宜一点", "稍微便宜点", "稍便宜", "便宜一点儿", "便宜点儿", "再便宜一点儿", "价格太高", "价格太高了",
        "性价比高一点", "不贵", "平价一点", "cheaper", "a bit cheaper", "a little cheaper", "much cheaper",
        "even cheaper", "something cheaper", "cheaper one", "cheap one", "less expensive", "less pricey",
        "less costly", "more affordable", "affordable one", "lower price", "lower priced", "lower the price",
        "a lower price", "too expensive", "too pricey", "too costly", "too dear", "not so expensive",
        "not too expensive", "not that expensive", "not as expensive", "costs too much", "cost too much",
        "too much money", "便宜", "便宜一点", "便宜点", "便宜些", "便宜一些", "便宜一点点", "更便宜", "更便宜一点",
        "更便宜点", "再便宜", "再便宜一点", "再便宜点", "再便宜些", "太贵", "太贵了", "有点贵", "有点贵了", "贵了",
        "不要太贵", "别太贵", "不要那么贵", "不要这么贵", "没那么贵", "不那么贵", "不太贵", "价格低一点", "价格低点",
        "低价一点", "更实惠", "实惠一点", "价格再低一点", "再低一点", "价位低一点", "嫌贵", "太高了",
    ]),
    (Phrase::Pricier, &[
        "bit more expensive", "slightly more expensive", "better quality", "fancier", "价格更高", "贵一点儿",
        "贵点儿", "档次高一点", "更好一点的", "more expensive", "a bit more expensive", "pricier",
        "something pricier", "higher price", "higher priced", "a higher price", "higher end", "high end one",
        "more upscale", "more premium", "more luxurious", "too cheap", "贵一点", "贵点", "贵些", "贵一些", "更贵",
        "更贵一点", "更贵的", "再贵一点", "再贵点", "高档一点", "高档点", "更高档", "高端一点", "更高端",
        "价格高一点", "价格高点", "价位高一点", "太便宜", "太便宜了",
    ]),
    (Phrase::Than, &["than", "compared to", "compared with"]),
    (Phrase::Compared, &["比"]),
    (Phrase::Like, &[
        "like", "more like", "similar to", "more similar to", "something like", "something similar to", "closer to",
        "close to", "resembling", "alike", "as in", "in the style of", "same style as", "same as", "the same as",
        "similar as", "更像", "像", "类似", "类似于", "更接近", "接近", "近似", "相似于", "参照", "参考", "照着",
        "多一点像", "更像是", "我喜欢", "喜欢",
    ]),
    (Phrase::With, &["和", "跟", "与", "同"]),
    (Phrase::Alike, &[
        "类似", "类似的", "相似", "相似的", "差不多", "差不多的", "相近", "相近的", "一样", "一样的", "那样",
        "那样的", "那种", "这样的", "这种", "那种风格", "那种的", "风格的", "同款", "更像", "比较像", "很像的",
        "接近的",
    ]),
    (Phrase::This, &["this", "this one", "that", "that one", "it", "这个", "那个", "这款", "那款", "它"]),
    (Phrase::Not, &[
        "not", "no", "except", "without", "hide", "remove", "exclude", "skip", "drop", "not like", "i don't like",
        "don't like", "don't want", "i don't want", "anything but", "不要", "不想要", "不喜欢", "除了", "去掉",
        "隐藏", "排除", "别要", "不看",
    ]),
    (Phrase::Unwanted, &[
        "不要", "不要了", "不想要", "不喜欢", "不好看", "去掉", "除外", "不行", "不合适", "不考虑", "就算了",
        "is not for me", "isn't for me", "is ugly", "is no good", "is out", "is not good",
    ]),
    (Phrase::Okay, &[
        "is fine", "is ok", "is okay", "is fine too", "is ok too", "is also fine", "would be fine", "也行", "也可以",
        "没关系", "也没关系", "不要紧", "也不要紧", "无所谓", "也无所谓", "都可以", "都行", "没问题", "也没问题",
    ]),
    (Phrase::Any, &[
        "any", "forget", "forget about", "drop", "remove", "ignore", "skip", "clear", "no", "without", "whatever",
        "all", "no matter", "no matter which", "no matter what", "don't care about", "i don't care about",
        "do not care about", "don't mind", "i don't mind", "regardless of", "every", "不限", "不限制", "什么", "任何",
        "任意", "随便什么", "不在乎", "不在意", "不管", "不看", "去掉", "取消", "忘记", "忘掉", "删除", "删掉",
        "清除", "不考虑", "无所谓", "哪个", "哪种", "所有", "不要", "没有", "别管",
    ]),
    (Phrase::NoMatter, &[
        "doesn't matter", "does not matter", "don't matter", "do not matter", "is not important", "isn't important",
        "not important", "is irrelevant", "is unimportant", "不限", "无所谓", "随便", "随意", "不重要", "都行",
        "都可以", "都好", "不管", "没关系", "没所谓", "任意", "不限制", "没有限制", "无限制", "不做要求", "没要求",
        "没有要求",
    ]),
    (Phrase::Fine, &[
        "也没关系", "没关系", "is fine", "are fine", "is ok", "is okay", "will do", "works", "would do", "is good",
        "fine", "ok", "okay", "都行", "都可以", "也行", "也可以", "都好", "就行", "了", "吧",
    ]),
    (Phrase::Limit, &[
        "limit", "limits", "range", "filter", "restriction", "constraint", "preference", "限制", "条件", "要求",
        "范围", "上限", "筛选",
    ]),
    (Phrase::AnyAll, &[
        "clear all the filters", "remove all the filters", "reset filters", "reset all filters", "reset the filters",
        "去掉全部条件", "清除所有条件", "清除所有筛选", "取消全部筛选", "remove all filters", "remove filters",
        "remove the filters", "clear all filters", "clear filters", "clear the filters", "no filters",
        "without filters", "drop all filters", "去掉所有条件", "取消所有条件", "去掉所有筛选", "取消所有筛选",
        "清除筛选", "清空筛选", "取消筛选", "去掉筛选", "不限条件",
    ]),
    (Phrase::NeedNot, &[
        "doesn't have to be", "does not have to be", "don't have to be", "do not have to be", "doesn't need to be",
        "does not need to be", "need not be", "needn't be", "not necessarily", "not necessarily in",
        "doesn't have to be in", "doesn't need to be in", "forget", "forget the", "forget about", "drop the",
        "不一定要", "不一定是", "不一定", "不必是", "不必", "不用是", "不用", "不需要是", "不需要", "不非得",
        "不非要", "可以不要", "可以不是", "忘掉", "去掉",
    ]),
    (Phrase::Also, &[
        "in addition to that", "and also", "also in", "or also", "另外", "外加", "以及也", "also", "too", "as well",
        "either", "is fine too", "is ok too", "is also fine", "is also ok", "would also work", "works too",
        "are fine too", "in addition", "add", "也", "也可以", "也行", "也好", "也要", "还要", "还可以", "加上",
        "再加上", "再加", "都要",
    ]),
    (Phrase::Or, &["or", "或", "或者", "或是", "以及", "还有"]),
    (Phrase::Instead, &[
        "instead", "rather", "make it", "make that", "change to", "change it to", "change that to", "switch to",
        "switch it to", "换成", "换", "改成", "改为", "改", "换为", "改要", "换个", "变成", "改看", "还是要",
    ]),
    (Phrase::Polite, &[
        "looks nice", "looks good", "look nice", "look good", "is nice", "is good", "is great", "is lovely",
        "i like it", "that's nice", "sounds good", "很好", "挺好", "挺好的", "还行", "还不错", "好看的", "很好看",
        "真不错", "没关系", "no", "nope", "not really", "not quite", "great", "good", "nice", "cool", "fine",
        "perfect", "like", "more", "try", "keep", "still", "see", "hello", "hi", "sorry", "不是", "不对", "不行",
        "不", "看", "来", "换", "改", "是", "要", "就", "再", "但", "喜欢", "好看", "不错", "你好", "只", "还是",
        "一下", "不太好", "不好", "没有", "hmm no", "also", "也",
    ]),
    (Phrase::Filler, &[
        "多来点", "多来一些", "多来几个", "来点", "来一些", "还有吗", "还有别的吗", "有别的吗", "帮我", "帮我看看",
        "给我", "麻烦给我", "再给我", "can we", "could we", "i want", "i need", "i'm looking for", "looking for",
        "i want to see", "i'd love", "how about something", "do you also have", "got any", "have you got",
        "any chance of", "let's go with", "go with", "go for", "i'll take", "i think", "想要", "就要", "我就要",
        "只想要", "只需要", "必须得是", "还是", "算了还是", "ok", "okay", "yes", "yeah", "yep", "hmm", "hm", "well",
        "actually", "so", "now", "then", "and", "but", "only", "just", "what about", "how about", "can you",
        "could you", "can i", "could i", "can i see", "can you show me", "do you have", "do you have any",
        "are there", "are there any", "is there", "i prefer", "prefer", "preferably", "i'd like", "i would like",
        "i would prefer", "i'd prefer", "i'd rather", "rather", "let's see", "let me see", "let's try", "show",
        "show only", "show me", "show me more", "some more", "please", "thanks", "thank you", "maybe", "perhaps",
        "those", "these", "the one", "them", "that are", "that is", "which are", "it should be", "should be",
        "must be", "in that case", "the", "a", "in", "is", "are", "那", "那么", "好", "好的", "嗯", "请", "只要",
        "只看", "最好", "最好是", "能不能", "可以", "可不可以", "有没有", "我想看", "我想看看", "看看", "给我看",
        "我要", "我想要", "我更喜欢", "更喜欢", "希望", "希望是", "来个", "来点", "来一个", "但是", "不过", "而且",
        "谢谢", "麻烦", "显示", "只显示", "想看", "应该是", "必须是", "必须", "一定要", "一定要是", "其实", "那就",
        "再看看", "还有没有", "能换成", "换个",
    ]),
    (Phrase::Closing, &[
        "都可以", "都行", "都好", "也行", "也可以", "ok", "okay", "is ok", "is fine", "还有吗", "for me", "to me",
        "if possible", "as possible", "好了", "即可", "好一点", "多一点", "可以了", "one", "ones", "thing", "things",
        "stuff", "model", "version", "please", "thanks", "though", "option", "options", "kind", "的", "了", "呢",
        "吗", "吧", "啊", "呀", "款", "那种", "的那种", "就行", "就好", "就可以", "即可", "一点", "一些", "谢谢",
        "可以吗", "好吗", "行吗", "有吗", "有没有", "更好", "比较好", "最好", "款式",
    ]),
];

/// Fields by the words that shoppers have for them; a collection's own field belongs to the group that has its name.
pub(super) const FIELDS: &[&[&str]] = &[
    &[
        "price",
        "budget",
        "cost",
        "price range",
        "价格",
        "价钱",
        "预算",
        "价位",
        "价",
    ],
    &["color", "colour", "颜色", "色"],
    &[
        "brand",
        "make",
        "maker",
        "label",
        "manufacturer",
        "品牌",
        "牌子",
        "牌",
        "厂家",
    ],
    &["size", "尺码", "尺寸", "码数", "大小", "码"],
    &[
        "category",
        "type",
        "kind",
        "product type",
        "类别",
        "种类",
        "品类",
        "类型",
        "分类",
    ],
    &["material", "fabric", "材质", "材料", "面料", "质地"],
    &["gender", "sex", "audience", "性别"],
    &[
        "usage", "use", "occasion", "purpose", "用途", "场合", "用处",
    ],
    &["style", "风格", "款式"],
    &["pattern", "图案", "花纹"],
    &["season", "季节"],
];

/// Places from the first on.
pub(super) const ORDINALS: &[&str] = &[
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
    "eleventh", "twelfth",
];

/// Numbers from one on.
pub(super) const NUMBERS: &[&str] = &[
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
];

/// What is counted with, after a number.
pub(super) const CLASSIFIERS: &str = "个款件双条台只张部把顶套种项位号";

static LOOKUP: LazyLock<(HashMap<String, Vec<Phrase>>, usize)> = LazyLock::new(|| {
    let mut by_key: HashMap<String, Vec<Phrase>> = HashMap::new();
    let mut longest = 0;
    for (phrase, wordings) in PHRASES {
        for wording in *wordings {
            let tokens = tokens(wording);
            longest = longest.max(tokens.len());
            by_key.entry(key(&tokens)).or_default().push(*phrase);
        }
    }
    (by_key, longest)
});

/// Length of the longest wording of one of the phrases at the beginning of `tokens`, and which it is.
pub(super) fn longest_at(tokens: &[Token], wanted: &[Phrase]) -> Option<(usize, Phrase)> {
    let (by_key, longest) = &*LOOKUP;
    (1..=(*longest).min(tokens.len())).rev().find_map(|n| {
        let meant = by_key.get(&key(&tokens[..n]))?;
        let phrase = *wanted.iter().find(|p| meant.contains(p))?;
        Some((n, phrase))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wording_is_found() {
        let at = |text: &str, wanted| longest_at(&tokens(text), wanted);
        assert_eq!(
            at("a bit cheaper please", &[Phrase::Cheaper]),
            Some((3, Phrase::Cheaper))
        );
        assert_eq!(
            at("再便宜一点的", &[Phrase::Cheaper]),
            Some((5, Phrase::Cheaper))
        );
        assert_eq!(
            at("too expensive", &[Phrase::Also, Phrase::Cheaper]),
            Some((2, Phrase::Cheaper))
        );
        assert_eq!(at("blue", &[Phrase::Reset, Phrase::Undo]), None);
    }
}
