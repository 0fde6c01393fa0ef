using Fewbit.Graphs.Operators.Signal;

namespace Fewbit.Graphs.Operators;

/// <summary>Operators of signal processing.</summary>
internal static class SignalOperators
{
    public static void Register(OperatorRegistry registry)
    {
        registry.Add("DFT", DiscreteFourier.Parse);
        registry.Add("STFT", ShortTimeFourier.Parse);
        registry.Add("HannWindow", node => CosineWindow.Parse(node, 0.5, 0.5, 0));
        registry.Add("HammingWindow", node => CosineWindow.Parse(node, 25.0 / 46, 21.0 / 46, 0));
        registry.Add("BlackmanWindow", node => CosineWindow.Parse(node, 0.42, 0.5, 0.08));
        registry.Add("MelWeightMatrix", MelWeightMatrix.Parse);
    }
}
