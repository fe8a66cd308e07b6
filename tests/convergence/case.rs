//! A case as plain data, so that what fails shrinks to little and reads as a story.

use std::fmt;

use proptest::prelude::*;

/// Some deals, and what people do with them in which weather.
#[derive(Clone)]
pub struct Case {
    pub deals: Vec<Kind>,
    pub weather: Weather,
    pub scenes: Vec<Scene>,
}

/// A line for what there is, one for each scene, and one for each edit, however it is asked for.
impl fmt::Debug for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let deals: Vec<String> =
            self.deals.iter().enumerate().map(|(number, kind)| format!("{number} {kind:?}")).collect();
        let weather = format!("{:?}", self.weather);
        writeln!(formatter, "deals: {}; {weather}", deals.join(", "))?;
        for scene in &self.scenes {
            let rest = if scene.rest { ", then rest" } else { "" };
            writeln!(formatter, "news: {:?}{rest}", scene.news)?;
            for (number, edit) in &scene.edits {
                let edit = format!("{edit:?}");
                writeln!(formatter, "  deal {}: {edit}", number % self.deals.len())?;
            }
        }
        Ok(())
    }
}

/// Where a deal comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A deal that a Microsoft seller shares.
    Shared,
    /// A lead that Microsoft passes on.
    Lead,
    /// A deal that somebody of the partner makes in Partner Center's portal.
    Portal,
    /// An opportunity of the CRM that nobody at Microsoft sees.
    Private,
    /// An opportunity of the CRM for which Microsoft is asked for help.
    CoSell,
}

/// What goes wrong by itself, all the time.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    pub faults: Faults,
    /// How many more times each event of Partner Center comes.
    pub duplicates: u8,
    /// Of two events of Partner Center the second comes first.
    pub reordered: bool,
}

impl Weather {
    pub const CALM: Self = Self { faults: Faults::None, duplicates: 0, reordered: false };
}

/// What goes wrong with requests.
#[derive(Clone, Copy, Debug)]
pub enum Faults {
    None,
    /// Everything that can, each by a chance that begins with this number.
    ByChance(u64),
    /// Answers take long.
    Slow,
}

/// What happens one after the other, by deal.
#[derive(Clone, Debug)]
pub struct Scene {
    pub news: News,
    /// Everything comes to rest before the next scene.
    pub rest: bool,
    pub edits: Vec<(usize, Edit)>,
}

/// How the two sides hear of what is done in a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// As it happens.
    AtOnce,
    /// When all of it is done.
    Late,
    /// Never.
    Lost,
}

/// What a person does with a deal, and where.
#[derive(Clone, Debug)]
pub enum Edit {
    /// A seller in the CRM.
    Crm(Crm),
    /// Somebody of the partner in the portal.
    Portal(Center),
    /// A Microsoft seller.
    Seller(Center),
    /// Microsoft answers an invitation.
    Answer { accepts: bool },
}

/// What is done in the CRM.
#[derive(Clone, Debug)]
pub enum Crm {
    /// In thousands; 0 stands for a value that is yet to be calculated.
    Value(u32),
    Day(u8),
    Notes(usize),
    Name {
        name: usize,
        mark: &'static str,
    },
    Currency(usize),
    Help(usize),
    Visible(bool),
    InProgress,
    OnHold,
    Win,
    Lose,
    AddSolution(usize),
    RemoveSolution(usize),
    Sync(bool),
}

/// What is done in Partner Center.
#[derive(Clone, Debug)]
pub enum Center {
    /// In thousands.
    Value(u32),
    Day(u8),
    Notes(usize),
    Name(usize),
    Currency(usize),
    /// Exactly these of [`crate::people::SOLUTIONS`].
    Solutions(Vec<usize>),
    Consent,
    Accept,
    Decline,
    Win,
    Lose,
    Team(u8),
}

/// Cases in which people work and news comes late or never, and nothing else goes wrong.
pub fn calm() -> impl Strategy<Value = Case> {
    case(Just(Weather::CALM).boxed())
}

/// Cases in which requests fail, and events come several times and out of order.
pub fn stormy() -> impl Strategy<Value = Case> {
    let faults = prop_oneof![1 => Just(Faults::None), 4 => (1..1_000_000u64).prop_map(Faults::ByChance)];
    let reordered = prop_oneof![3 => Just(false), 1 => Just(true)];
    let weather = (faults, 0..3u8, reordered);
    case(weather.prop_map(|(faults, duplicates, reordered)| Weather { faults, duplicates, reordered }).boxed())
}

fn case(weather: BoxedStrategy<Weather>) -> impl Strategy<Value = Case> {
    let scenes = prop::collection::vec(scene(), 1..5);
    (prop::collection::vec(kind(), 2..5), weather, scenes).prop_map(|(deals, weather, scenes)| Case {
        deals,
        weather,
        scenes,
    })
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Private), Just(Kind::CoSell), Just(Kind::Shared), Just(Kind::Portal), Just(Kind::Lead)]
}

fn scene() -> impl Strategy<Value = Scene> {
    let news = prop_oneof![3 => Just(News::AtOnce), 3 => Just(News::Late), 1 => Just(News::Lost)];
    let rest = prop_oneof![2 => Just(true), 1 => Just(false)];
    (news, rest, prop::collection::vec((0..4usize, edit()), 2..9)).prop_map(|(news, rest, edits)| Scene {
        news,
        rest,
        edits,
    })
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        10 => crm().prop_map(Edit::Crm),
        5 => center().prop_map(Edit::Portal),
        4 => center().prop_map(Edit::Seller),
        1 => any::<bool>().prop_map(|accepts| Edit::Answer { accepts }),
    ]
}

fn crm() -> impl Strategy<Value = Crm> {
    let mark = prop_oneof![Just(""), Just("✔ "), Just("✖ ")];
    prop_oneof![
        4 => (0..9u32).prop_map(Crm::Value),
        3 => (1..28u8).prop_map(Crm::Day),
        3 => (0..5usize).prop_map(Crm::Notes),
        3 => (0..4usize, mark).prop_map(|(name, mark)| Crm::Name { name, mark }),
        1 => (0..2usize).prop_map(Crm::Currency),
        2 => (0..3usize).prop_map(Crm::Help),
        2 => any::<bool>().prop_map(Crm::Visible),
        2 => Just(Crm::InProgress),
        1 => Just(Crm::OnHold),
        1 => Just(Crm::Win),
        1 => Just(Crm::Lose),
        3 => (0..3usize).prop_map(Crm::AddSolution),
        3 => (0..3usize).prop_map(Crm::RemoveSolution),
        1 => prop_oneof![3 => Just(true), 1 => Just(false)].prop_map(Crm::Sync),
    ]
}

fn center() -> impl Strategy<Value = Center> {
    let solutions = prop::sample::subsequence(vec![0, 1, 2], 1..=3);
    prop_oneof![
        4 => (1..9u32).prop_map(Center::Value),
        3 => (1..28u8).prop_map(Center::Day),
        3 => (0..5usize).prop_map(Center::Notes),
        3 => (0..4usize).prop_map(Center::Name),
        1 => (0..2usize).prop_map(Center::Currency),
        3 => solutions.prop_map(Center::Solutions),
        1 => Just(Center::Consent),
        4 => Just(Center::Accept),
        1 => Just(Center::Decline),
        1 => Just(Center::Win),
        1 => Just(Center::Lose),
        1 => (0..3u8).prop_map(Center::Team),
    ]
}
