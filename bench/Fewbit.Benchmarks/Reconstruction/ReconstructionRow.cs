using Fewbit.Formats;
using Fewbit.Quantization;
using Fewbit.Reconstruction;

namespace Fewbit.Benchmarks.Reconstruction;

/// <summary>A method at a setting, with what the original code reached in the same setting.</summary>
/// <param name="Key">Name of its result files.</param>
/// <param name="Title">Name in the table.</param>
/// <param name="Method">The method.</param>
/// <param name="Weights">Bits of the weights.</param>
/// <param name="Activations">Bits of the activations; 0 leaves them float.</param>
/// <param name="PeerLossless">Top-1 of the original code on the lossless pictures, mean of its seeds, in percent.</param>
/// <param name="PeerJpeg">The same on the JPEG pictures.</param>
/// <param name="WeightsOf">A row with the same weights, where it was run: its first pass need not be repeated.</param>
/// <param name="Placement">Where quantizers stand.</param>
internal sealed record ReconstructionRow(string Key, string Title, ReconstructionMethod Method, int Weights, int Activations, double? PeerLossless, double? PeerJpeg, string? WeightsOf = null,
    QuantizerPlacement Placement = QuantizerPlacement.Paper)
{
    /// <summary>The rows of the page.</summary>
    public static IReadOnlyList<ReconstructionRow> All { get; } =
    [
        new("nearest-w4a4", "nearest W4A4", ReconstructionMethod.Nearest(ReconstructionMethod.QDrop()), 4, 4, 91.25, 78.6),
        new("nearest-w2a2", "nearest W2A2", ReconstructionMethod.Nearest(ReconstructionMethod.QDrop()), 2, 2, 15.60, 14.7),
        new("nearest-w2", "nearest W2", ReconstructionMethod.Nearest(ReconstructionMethod.Brecq()), 2, 0, 23.88, 22.7),
        new("adaround-w2", "AdaRound W2, 1000 steps", AdaRoundOfOriginal(1000), 2, 0, 86.13, 78.82),
        new("brecq-w2", "BRECQ W2, 1000 steps", ReconstructionMethod.Brecq(1000), 2, 0, 86.92, 76.10),
        new("brecq-w2a4", "BRECQ W2A4, 1000 + 250 steps", ReconstructionMethod.Brecq(1000, 250), 2, 4, 85.81, 73.30, "brecq-w2"),
        new("brecq-w2a2", "BRECQ W2A2, 1000 + 250 steps", ReconstructionMethod.Brecq(1000, 250), 2, 2, 62.25, 48.53, "brecq-w2"),
        new("qdrop-w4a4", "QDrop W4A4, 500 steps", ReconstructionMethod.QDrop(500), 4, 4, 92.00, 80.02),
        new("qdrop-w2a4", "QDrop W2A4, 1000 steps", ReconstructionMethod.QDrop(1000), 2, 4, 87.51, 77.41),
        new("qdrop-w2a2", "QDrop W2A2, 1000 steps", ReconstructionMethod.QDrop(1000), 2, 2, 74.83, 64.46),
    ];

    /// <summary>The rows that quantize activations, placed so that ONNX Runtime computes in integers. Weights learned alone are the same in both placements.</summary>
    public static IReadOnlyList<ReconstructionRow> Deployed { get; } =
    [
        .. All.Where(row => row.Activations > 0).Select(row => row with
        {
            Key = row.Key + "-deploy", Title = row.Title + ", deployed", PeerLossless = null, PeerJpeg = null, Placement = QuantizerPlacement.Deploy,
        }),
    ];

    /// <summary>The original row was run with BRECQ's code: single layers, the exponent in a straight line.</summary>
    private static ReconstructionMethod AdaRoundOfOriginal(int iterations) => ReconstructionMethod.Brecq(iterations) with { Name = "adaround", Granularity = UnitGranularity.Layers };

    public QuantizationOptions Options => Method.Apply(new()
    {
        Weights = new IntegerFormat(Weights, IsSigned: false),
        Activations = Activations == 0 ? null : new IntegerFormat(Activations, IsSigned: false),
        Placement = Placement,
    });
}
