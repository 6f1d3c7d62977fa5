"""The oracle lab: every estimator against scores that are known exactly, within minutes and without a network.

Three experiments: SSD's illustrative mixture (`mixture`), the parts of an estimator against time (`terms`), and every
estimator on the same problems (`comparison`), some of them with one thing changed (`variants`). `lab` runs them and
writes figures, tables and the numbers behind them.
"""
