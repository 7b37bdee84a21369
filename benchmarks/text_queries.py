"""Texts that somebody might type, and the classes they mean: synonyms, paraphrases, and nonsense.

Classes of two vocabularies: AudioSet's 527 and YouTube-8M's 3,862; empty: the vocabulary has no
such class.
"""

from typing import NamedTuple


class Query(NamedTuple):
    """A text and the names of the classes that it may find."""

    text: str
    audioset: tuple[str, ...] = ()
    youtube8m: tuple[str, ...] = ()


QUERIES = (
    Query("puppy barking", ("Bark", "Dog", "Yip", "Bow-wow"), ("Puppy", "Dog")),
    Query("hound", ("Dog", "Canidae, dogs, wolves"), ("Dog",)),
    Query("kitty", ("Cat", "Meow"), ("Kitten", "Cat")),
    Query("automobile", ("Car", "Motor vehicle (road)"), ("Car",)),
    Query("lorry", ("Truck",), ("Truck",)),
    Query("motorbike", ("Motorcycle",), ("Motorcycle", "Motorcycling")),
    Query("bike", ("Bicycle",), ("Bicycle", "Cycling")),
    Query("plane", ("Fixed-wing aircraft, airplane", "Aircraft"), ("Airplane", "Aircraft")),
    Query("chopper in the air", ("Helicopter",), ("Helicopter",)),
    Query("locomotive on rails", ("Train", "Rail transport"), ("Locomotive", "Train")),
    Query("underground railway", ("Subway, metro, underground",), ("Rapid transit",)),
    Query("police siren", ("Police car (siren)", "Siren"), ("Police car",)),
    Query("fire brigade truck", ("Fire engine, fire truck (siren)",), ("Fire engine",)),
    Query("people clapping their hands", ("Clapping", "Applause")),
    Query("ovation", ("Applause", "Cheering")),
    Query("someone laughing", ("Laughter", "Giggle", "Belly laugh")),
    Query("infant weeping", ("Baby cry, infant cry", "Crying, sobbing")),
    Query("talking", ("Speech", "Conversation")),
    Query("steps of shoes", ("Walk, footsteps",), ("Shoe",)),
    Query("piano playing", ("Piano",), ("Piano", "Pianist")),
    Query("fiddler", ("Violin, fiddle",), ("Fiddle", "Violin")),
    Query("drums", ("Drum", "Drum kit"), ("Drum", "Drum kit", "Drummer")),
    Query("six-string guitar", ("Guitar", "Acoustic guitar"), ("Guitar", "Acoustic guitar")),
    Query("squeezebox", ("Accordion",), ("Accordion", "Diatonic button accordion")),
    Query("mouth organ", ("Harmonica",), ("Harmonica",)),
    Query("choral singing", ("Choir", "Singing"), ("Choir",)),
    Query("symphony", ("Orchestra", "Classical music"), ("Orchestra",)),
    Query("hip-hop", ("Hip hop music",)),
    Query("rain falling", ("Rain", "Raindrop", "Rain on surface"), ("Rain",)),
    Query("lightning and thunder", ("Thunder", "Thunderstorm"), ("Thunderstorm",)),
    Query("breakers at the shore", ("Waves, surf", "Ocean"), ("Beach",)),
    Query("falls of a river", ("Waterfall",), ("Waterfall",)),
    Query("flames", ("Fire",), ("Fire",)),
    Query("rooster", ("Chicken, rooster", "Crowing, cock-a-doodle-doo"), ("Rooster", "Chicken")),
    Query("cow mooing", ("Moo", "Cattle, bovinae"), ("Cattle",)),
    Query("songbird", ("Bird vocalization, bird call, bird song", "Bird"), ("Bird",)),
    Query("honeybee", ("Bee, wasp, etc.",), ("Bee",)),
    Query("toad", ("Frog",), ("Frog",)),
    Query("keyboard typing", ("Typing", "Computer keyboard"), ("Computer keyboard", "Typing")),
    Query("phone ringing", ("Telephone bell ringing", "Telephone", "Ringtone"), ("Telephone",)),
    Query("hoover", ("Vacuum cleaner",), ("Vacuum cleaner",)),
    Query("coiffure", (), ("Hairstyle", "Hair")),
    Query("chain saw", ("Chainsaw",), ("Chainsaw",)),
    Query("shots being fired", ("Gunshot, gunfire",)),
    Query("pyrotechnics", ("Fireworks", "Firecracker"), ("Fireworks",)),
    Query("soccer", (), ("Association football",)),
    Query("gridiron football", (), ("American football",)),
    Query("ping pong", (), ("Table tennis",)),
    Query("swimmers in a pool", (), ("Human swimming", "Swimming pool")),
    Query("riding waves on a board", (), ("Surfing", "Surfboard")),
    Query("marriage ceremony", (), ("Wedding", "Bride")),
    Query("make-up", (), ("Cosmetics",)),
    Query("preparing a meal", (), ("Cooking", "Cuisine")),
    Query("sweet course after dinner", (), ("Dessert",)),
    Query("cell phone", ("Telephone",), ("Mobile phone", "Smartphone")),
    Query("notebook computer", (), ("Laptop",)),
    Query("tv commercial", (), ("Television advertisement", "Advertising")),
    Query("anime drawings", (), ("Manga", "Animation", "Cartoon", "Drawing")),
    Query("aeroplane taking off", ("Fixed-wing aircraft, airplane", "Aircraft"), ("Takeoff",)),
    Query("angling", (), ("Fishing", "Recreational fishing")),
)

NONSENSE = (
    *("zzzz", "asdf", "qwertz", "xkcd7", "lorem ipsum dolor", "blorptang", "fnord", "mxyzptlk"),
    *("vrelk onti", "aaaaaa", "hjkl", "foo bar baz", "qqq www eee", "wug", "frabjous jabberwock"),
    *("gribble snorf", "12345", "0x7f3a", "99 44 21", "2026-11-30", "-----", "???", "e = mc2"),
    *("tmp_final_v2", "untitled document", "null", "undefined", "index.html", "lkjhgfd", "ptkfx"),
)
UNRELATED = (
    *("tax return", "monetary policy", "photosynthesis", "the categorical imperative"),
    *("compound interest", "prime numbers", "democracy", "insurance premium", "mitochondria"),
    *("gross domestic product", "existential dread", "supply chain law", "quarterly earnings"),
    *("plate tectonics", "the subjunctive mood", "a sense of guilt", "inheritance dispute"),
    *("covalent bond", "rent control", "the year 1789", "software licence", "parliament vote"),
    *("vaccination schedule", "probability theory", "loneliness", "cholesterol level"),
    *("customs declaration", "patent infringement", "habeas corpus", "postal code"),
)
