"""Writes the class notebook: group the penguins, fit a classifier, plot.

    python3 tests/data/class.py > class.ipynb
"""

import json
import sys

CELLS = [
    """import pandas as pd
penguins = pd.read_csv("penguins.csv").dropna()
print(len(penguins), "penguins")""",
    """penguins.groupby("species")["body_mass_g"].mean().round(1)""",
    """from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
measures = ["bill_length_mm", "bill_depth_mm"]
train, test = train_test_split(penguins, random_state=1)
model = LogisticRegression(max_iter=5000).fit(train[measures], train["species"])
score = model.score(test[measures], test["species"])
print(f"accuracy {score:.2f}")""",
    """%matplotlib inline
import seaborn as sns
axes = sns.scatterplot(penguins, x="bill_length_mm", y="flipper_length_mm", hue="species")""",
    """import os
print("kernel", os.getpid(), "remembers", round(score, 2))""",
]


def notebook():
    cells = [
        {"cell_type": "code", "id": f"cell-{number}", "execution_count": None,
         "metadata": {}, "outputs": [], "source": source}
        for number, source in enumerate(CELLS)
    ]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


if __name__ == "__main__":
    json.dump(notebook(), sys.stdout, indent=1)
