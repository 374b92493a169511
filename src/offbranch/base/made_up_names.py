"""Made-up names of experiments: `<adjective>-<noun>`.

What chooses is handed in, so a test gets the same name twice and a user's `random.seed` changes nothing.
"""

from collections.abc import Container
from typing import Protocol

_ADJECTIVES = (
    "agile amber ample apt arid avid azure balmy basic blunt bold brave brief brisk broad calm chewy chief civil clean"
    " clear close crisp curly dandy dense dizzy dry eager early elfin epic equal exact fair famed fancy fast fiery"
    " final firm first fleet fluid focal fond frank fresh frosty full funky fuzzy giant glad gold good grand great"
    " green handy happy hardy hasty hazel hefty huge humid husky icy ideal inner ivory jaded jazzy jolly juicy keen"
    " key kind large lasting late lean legal level light linen live loose loud loyal lucid lucky lunar lush magic main"
    " major mauve merry mild minty misty modal moist moral muted naive navy neat new nifty nimble noble novel oaken"
    " ochre olive open optic outer oval pale perky pink plain plush polar prime proud pure quick quiet rapid rare raw"
    " ready regal rich ripe roomy rosy round royal ruby rural rusty safe sage salty sandy sane sharp shiny short silky"
    " silver slim smart smoky smooth snowy sober soft solar solid sonic spare spicy stark steep still stout sunny super"
    " sure sweet swift tall tame tangy tawny tepid tidal tidy tiny topaz total tough true ultra urban usual utter valid"
    " vast vital vivid vocal warm wavy whole wide wild windy wise witty woody young zany zesty"
).split()
_NOUNS = (
    "acre arch aria atom aunt axis bake band barn bass bath bead beam bear bell belt bike bird boat bolt bone book boot"
    " bowl brim bulb buoy cafe cake calf camp cape cart cave chef clay clef coal coat coin colt comb cone cook cord"
    " cork corn cove crab crew crow cube dale dart dawn deck deer desk dial dice dish dock dome door dove drum duck"
    " dune dusk east echo edge epic fern fig film fish flag flax foal foam fold font ford fork fort fowl frog fuse gale"
    " gate gear gift glen glow goat gold golf gong gull harp hawk haze heap herb hill hive hoop horn hull iris isle jade"
    " jazz jeep kale kelp kite knot lace lake lamb lamp lane lark lava leaf lens lily lime lion loaf lock loom loop lute"
    " lynx mall mane maple mask mast maze meal mesa mill mint mist moat mole moon moss moth mule myth nest newt node"
    " nook noon note oats oboe okra opal orca oval palm park path peak pear pier pine pond pony poem poet port pump quay"
    " quiz raft rail rain reef rice ring road rock roof rope rose ruby sage sail salt sand seal seed shoe silk sled snow"
    " sofa soup star stem surf swan tale teal tent tide tile toad tofu tree tuna vale vase veil vine vole wand wave well"
    " whey wick wind wing wolf wood wool wren yarn yoga yolk zinc zone"
).split()


class Chooser(Protocol):
    """The one thing we need of `random.Random`."""

    def choice(self, seq: list[str]) -> str:
        """Returns one element."""
        ...


def generate_name(taken: Container[str], rng: Chooser) -> str:
    """Returns an automatic name that is not taken."""
    for _ in range(1000):
        name = f"{rng.choice(_ADJECTIVES)}-{rng.choice(_NOUNS)}"
        if name not in taken:
            return name
    number = 2
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}"
