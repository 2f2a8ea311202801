"""The derivation program: loss, gradient and Hessian written once, over an abstract number."""
