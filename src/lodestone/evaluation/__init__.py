"""How good an asset is: numbers that a renderer and a frozen classifier can measure without anyone's taste."""
