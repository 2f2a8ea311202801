"""Condensation: the orientations on which hidden neurons gather at small initialisation.

Source: Zhou, Zhou, Luo, Zhang and Xu, Towards understanding the condensation of neural networks at initial training,
arXiv:2105.11686.
"""
