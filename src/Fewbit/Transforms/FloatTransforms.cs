using Fewbit.Graphs;

namespace Fewbit.Transforms;

/// <summary>Applies the transforms that keep the float function.</summary>
internal static class FloatTransforms
{
    /// <param name="prepared">A prepared graph; it is changed.</param>
    /// <param name="transforms">In order; <see cref="CorrectBiases"/> waits until quantizers are known.</param>
    /// <param name="samples">Data for those that look at them.</param>
    public static IReadOnlyList<TransformReport> Apply(Graph prepared, IReadOnlyList<ModelTransform> transforms, KeptBatches samples)
    {
        var reports = new List<TransformReport>();
        foreach (ModelTransform transform in transforms)
        {
            if (transform is EqualizeLayers equalize) reports.Add(LayerEqualizer.Run(prepared, equalize, samples));
            else if (transform is AbsorbBiases absorb) reports.Add(BiasAbsorber.Run(prepared, absorb));
        }
        prepared.RemoveUnusedValues();
        return reports;
    }

    /// <summary>Those that change the float model, before quantizers are known.</summary>
    public static IEnumerable<ModelTransform> OfModel(IEnumerable<ModelTransform> transforms) => transforms.Where(transform => transform is not CorrectBiases);

    /// <exception cref="ArgumentException">Bias correction is not the last, or is there twice.</exception>
    public static void CheckOrder(IReadOnlyList<ModelTransform> transforms)
    {
        int first = transforms.ToList().FindIndex(transform => transform is CorrectBiases);
        if (first >= 0 && first != transforms.Count - 1)
            throw new ArgumentException($"'{transforms[first].Name}' is followed by '{transforms[first + 1].Name}', expected last: it corrects what rounding the final weights does");
    }
}
