"""Splits the digits into a training and a test part and scales the pixels to 0..1."""

import numpy as np
import yaml_params

params = yaml_params.load("prepare")
table = np.loadtxt("data/digits.csv", delimiter=",")
pixels, digits = table[:, :-1] / 16.0, table[:, -1].astype(int)

order = np.random.default_rng(params["seed"]).permutation(len(digits))
n_test = round(len(digits) * params["test_share"])
test, train = order[:n_test], order[n_test:]
np.savez_compressed(
    "prepared.npz", x_train=pixels[train], x_test=pixels[test], y_train=digits[train], y_test=digits[test]
)
print(f"{len(train)} digits to train on, {len(test)} to test on")
