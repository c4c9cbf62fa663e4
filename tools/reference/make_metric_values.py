"""Makes ../../libs/metrics/src/fixtures/recorded.json: metrics of captions, answers and retrieval by their public implementations.

- CIDEr-D and BLEU: pycocoevalcap (https://github.com/salaniz/pycocoevalcap); CIDEr: https://github.com/vrama91/cider, which is of Python 2
- VQA accuracy: https://github.com/GT-Vision-Lab/VQA, PythonEvaluationTools/vqaEvaluation/vqaEval.py, which is of Python 2
- tokens: NLTKWordTokenizer of nltk 3.8, without the punctuation that pycocoevalcap leaves out, in lower case
- recall: the rule of BLIP's and LAVIS's retrieval evaluation, with numpy

Needs numpy and nltk. Run: python make_metric_values.py PYCOCOEVALCAP CIDER VQA > ../../libs/metrics/src/fixtures/recorded.json (three folders with clones)
"""
import importlib.util, json, pathlib, random, re, sys, types
import numpy as np

COCO, CIDER, VQA = map(pathlib.Path, sys.argv[1:4])
random.seed(7)
WORDS = "a a a the two three small large red blue green circle square star above below left right of and on in".split()
PUNCTUATIONS = ["''", "'", "``", "`", "-LRB-", "-RRB-", "-LCB-", "-RCB-", ".", "?", "!", ",", ":", "-", "--", "...", ";"]


def module(name, path, convert=lambda text: text):
    made = types.ModuleType(name)
    exec(compile(convert(path.read_text()), str(path), "exec"), made.__dict__)
    return made


def python3(text):
    text = re.sub(r'print "([^"]*)"', r'print("\1")', text)
    return text.replace("xrange", "range").replace("iteritems", "items").replace("print(", "str(")


def caption(length=None):
    return " ".join(random.choice(WORDS) for _ in range(length or random.randint(1, 12)))


def captions():
    cases = [
        {"name": "random", "predictions": [caption() for _ in range(12)], "references": [[caption() for _ in range(random.randint(1, 5))] for _ in range(12)]},
        {"name": "one image", "predictions": ["a red circle"], "references": [["a red circle", "a circle that is red"]]},
        {"name": "equal", "predictions": ["a red circle", "two blue squares left of a star"], "references": [["a red circle"], ["two blue squares left of a star"]]},
        {"name": "empty and short", "predictions": ["", "star", "a a a a a a a", "of the star of the star"], "references": [["a star"], ["star"], ["a", "a a"], ["the star of the star", "star"]]},
        {"name": "names of prototypes", "predictions": ["constructor __proto__ toString", "valueOf a"], "references": [["constructor __proto__"], ["valueOf", "a valueOf"]]},
        {"name": "other scripts", "predictions": ["\u732b \u304c \u5bdd\u3066\u3044\u308b", "caf\u00e9 \u00e0 gauche"], "references": [["\u732b \u304c \u3044\u308b"], ["un caf\u00e9 \u00e0 gauche", "caf\u00e9"]]},
    ]
    for case in cases:  # the prediction of most images is close to a reference
        if case["name"] == "random":
            for at in range(0, 12, 2):
                words = case["references"][at][0].split()
                words[:3] = random.sample(words[:3], len(words[:3]))
                case["predictions"][at] = " ".join(words + ["star"] * (at % 3))
    sys.path.insert(0, str(COCO))
    from bleu.bleu import Bleu
    from cider.cider import Cider
    plain = module("cider_scorer", CIDER / "pyciderevalcap/cider/cider_scorer.py", python3)
    for case in cases:
        gts = dict(enumerate(case["references"])); res = {at: [text] for at, text in enumerate(case["predictions"])}
        score, scores = Cider().compute_score(gts, res)
        case["ciderD"] = {"score": float(score), "scores": [float(each) for each in scores]}
        scorer = plain.CiderScorer()
        for at in gts: scorer += (res[at][0], gts[at])
        score, scores = scorer.compute_score("corpus")
        case["cider"] = {"score": float(score), "scores": [float(each) for each in scores]}
        score, scores = Bleu(4).compute_score(gts, res, verbose=0)
        case["bleu"] = {"scores": score, "perItem": [list(each) for each in zip(*scores)]}
    return cases


ANSWERS = [
    ("yes", ["yes"] * 10), ("Yes", ["yes"] * 10), ("yes ", ["yes"] * 10), ("Yes", ["yes"] * 9 + ["no"]), ("no", ["yes"] * 9 + ["no"]), ("no", ["yes"] * 8 + ["no"] * 2),
    ("no", ["yes"] * 7 + ["no"] * 3), ("no", ["yes"] * 6 + ["no"] * 4), ("two", ["2"] * 5 + ["two"] * 5), ("The two dogs.", ["2 dogs", "two dogs", "dogs", "2 dogs!"] + ["dogs"] * 6),
    ("1,000", ["1000", "1,000", "1000 people"] + ["many"] * 7), ("its 1,5 m (wide)", ["its 15 m wide"] * 3 + ["wide"] * 7), ("red/blue", ["red blue"] * 4 + ["red, blue"] * 6),
    ("black-and-white", ["black and white"] * 9 + ["b&w"]), ("dont know", ["don't know"] * 3 + ["unknown"] * 7), ("couldnt've", ["couldn't've"] * 2 + ["x"] * 8), ("somebody'd", ["somebodyd", "somebody'd"] * 5),
    ("a.m.", ["am"] * 3 + ["a.m"] * 7), ("3.5", ["3.5"] * 4 + ["35"] * 6), ("v1.2.", ["v1.2"] * 9 + ["v12"]), ("none", ["0"] * 3 + ["none"] * 2 + ["nothing"] * 5), ("the", ["a", "an"] + ["x"] * 8),
    ("caf\u00e9", ["CAF\u00c9"] * 4 + ["coffee"] * 6), ("on\nthe table", ["on table"] * 5 + ["table"] * 5), ("a\tb", ["a b"] * 10), ("......" * 7, ["......" * 7] * 9 + ["x"]), ("'twas", ["twas"] * 9 + ["x"]),
    ("who?", ["who ?"] * 5 + ["who"] * 5), ("yes", ["yes", "no"]), ("yes", ["yes", "yes", "no"]), ("", ["", "x"] * 5), ("ok\u00a0then", ["ok then"] * 9 + ["ok"]), ("[x] {y} (z) = \\ _ > < @ ` +", ["x y z"] * 9 + ["x"]),
]


def answers():
    vqa = module("vqaEval", VQA / "PythonEvaluationTools/vqaEvaluation/vqaEval.py", python3)
    out = []
    for prediction, given in ANSWERS:
        ground = types.SimpleNamespace(qa={1: {"answers": [{"answer": a, "answer_id": i} for i, a in enumerate(given)], "question_type": "q", "answer_type": "a"}}, getQuesIds=lambda: [1])
        evaluation = vqa.VQAEval(ground, types.SimpleNamespace(qa={1: {"answer": prediction}}), n=15)
        evaluation.updateProgress = lambda progress: None
        evaluation.evaluate()
        out.append({"prediction": prediction, "answers": given, "accuracy": evaluation.evalQA[1] / 100})
    evaluation = vqa.VQAEval(ground, None)
    words = [*evaluation.contractions, *ARTICLES_AND_NUMBERS, *[p for p, _ in ANSWERS]]
    normal = {}
    for word in words:
        text = word.replace("\n", " ").replace("\t", " ").strip()
        normal[word] = evaluation.processDigitArticle(evaluation.processPunctuation(text))
    return out, normal


ARTICLES_AND_NUMBERS = "a an the none zero one two three four five six seven eight nine ten eleven A.B x.5 5.x 5. .5 a,b a, b 1,2 1,b".split()
CAPTIONS = [
    "A man's dog can't sit.", "Two men riding on a bench, in the park!", "He doesn't like it; she's gone.", "They're here and we've seen them, I'd say I'm sure they'll win", "a black-and-white photo of a t-shirt",
    "1,000 people at 5:30, 3.5 meters, 1/2 of it", "\"quoted\" text", "The dogs' ball", "You cannot go: gonna stop? wanna, gotta, gimme", "a large sign -- red ... stop", "A cat and/or a dog", "caf\u00e9 and \u732b \u304c",
    "it's the 1980's", "a 2nd floor with 3 beds & $5 at 50% #1", "", "   ", "?!", "A woman (in red) sits.", "O'Brien isn't there", "TWO CATS", "a cat.", "mother-in-law won't shan't",
]


def tokens():
    from nltk.tokenize import NLTKWordTokenizer
    out = []
    for text in CAPTIONS:
        words = [w for w in NLTKWordTokenizer().tokenize(text, convert_parentheses=True) if w not in PUNCTUATIONS[:4] + PUNCTUATIONS[8:]]
        out.append({"text": text, "tokens": [word.lower() for word in words]})
    return out


def retrieval():
    generator = np.random.default_rng(3); out = []
    for images, texts in ((1, 1), (7, 7), (6, 23), (20, 20)):
        owners = list(range(images)) + list(generator.integers(0, images, texts - images)); generator.shuffle(owners); owners = [int(o) for o in owners]
        scores = generator.normal(size=(images, texts)).round(6)
        for text, owner in enumerate(owners): scores[owner, text] += 1
        i2t = np.zeros(images)
        for image, row in enumerate(scores):
            order = np.argsort(row)[::-1]
            i2t[image] = min(np.where(order == text)[0][0] for text in range(texts) if owners[text] == image)
        t2i = np.array([np.where(np.argsort(scores[:, text])[::-1] == owners[text])[0][0] for text in range(texts)])
        share = lambda ranks: {k: float(len(np.where(ranks < k)[0]) / len(ranks)) for k in (1, 5, 10)}
        out.append({"dims": [images, texts], "data": scores.flatten().tolist(), "imageOfText": owners, "imageToText": share(i2t), "textToImage": share(t2i)})
    return out


vqa, normalized = answers()
recorded = {"captions": captions(), "vqa": vqa, "normalized": normalized, "tokens": tokens(), "retrieval": retrieval()}
json.dump(recorded, sys.stdout, indent=1, ensure_ascii=False); print()
