"""icl info: models as trees, what they cost, and messages."""

import json

from harness import close, contains, equal, failure, run, success, test


def facts_of(*words):
    return json.loads(success(run("info", *words, "--json")))


@test
def models_are_listed():
    contains(success(run("info")), "resnet_preact", "Wide ResNet", "--help")


@test
def a_model_is_shown_with_its_costs():
    text = success(run("info", "resnet_preact", "--depth", "20"))
    contains(text, "stage3: sequential", "(8, 8, 64)", "272,282", "40,813,184", "128 images", "1.1 MB what sgd keeps")


@test
def memory_is_that_of_the_optimizer():
    words = ("resnet", "--depth", "8")
    sgd, adam = (facts_of(*words, "--optimizer", name)["memory"] for name in ("sgd", "adam"))
    parameters = 4 * facts_of(*words)["parameters"]
    assert parameters <= sgd["optimizer"] < parameters + 100 < 2 * parameters <= adam["optimizer"], (sgd, adam)
    for name in ("lars", "adamw", "amsgrad", "nadam", "adabound", "adaboundw", "lamb", "lion", "rmsprop", "muon"):
        contains(success(run("info", *words, "--optimizer", name)), f"MB what {name} keeps")


@test
def json_holds_the_same_facts():
    facts = facts_of("wrn", "--depth=16", "--widening-factor=4", "--batch-size", "4")
    equal((facts["parameters"], facts["macs"]), (2748890, 392612352))
    equal(facts["options"]["widening_factor"], 4)
    conv = next(layer for layer in facts["layers"] if layer["path"] == "stage2.block1.conv1")
    equal((conv["class"], conv["shape"], conv["parameters"]), ("conv2d", [16, 16, 128], 9 * 64 * 128))
    memory = facts["memory"]
    equal((memory["batch_size"], memory["optimizer"]), (4, 4 * 2748890))
    equal(memory["total"], memory["states"] + memory["optimizer"] + memory["working"])
    assert memory["working"] > 4 * 4 * 32 * 32 * 64


@test
def a_larger_batch_needs_more_memory():
    small, large = (facts_of("resnet", "--depth", "8", "--batch-size", size)["memory"] for size in ("16", "64"))
    equal(small["states"], large["states"])
    assert large["working"] > 2 * small["working"]


@test
def mistakes_are_explained():
    for words, message in [
        (["resnt"], "no model 'resnt' (did you mean resnet?)"),
        (["resnet", "--depht", "20"], "did you mean --depth?"),
        (["resnet", "--depth", "21"], "depth 21 is impossible"),
        (["vgg", "--input", "28,28,1"], "28 x 28 are too small"),
        (["vgg", "--input", "28"], "height, width, channels"),
    ]:
        contains(failure(run("info", *words), 2), message)


close()
