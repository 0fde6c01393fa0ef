using Fewbit.Data;
using Fewbit.Data.Images;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Evaluation;

/// <summary>Peak signal-to-noise ratio and structural similarity of enlarged pictures on luma, as papers on super-resolution give them.</summary>
/// <remarks>
/// The output times 255 is rounded to whole numbers and clipped to 0..255, turned into luma of BT.601 (16..235), and a border as wide as the enlargement is cut.
/// Where the model's output has one channel it is that luma already. The target is cut to the output's size.
/// </remarks>
/// <param name="data">Pictures with their targets; batches number its samples.</param>
/// <param name="output">Name of the output that holds the picture, [N, 1 or 3, H, W], values from 0 to 1.</param>
/// <param name="scale">How many times wider the target is than the low-resolution picture, at least 1; that many pixels of border are cut.</param>
public sealed class PictureMetric(DataSet data, string output, int scale) : PairedMetric
{
    private readonly List<double> _reference = [], _model = [];
    private double _referenceLikeness, _modelLikeness, _bicubic;

    /// <inheritdoc/>
    public override Metric Metric => Metric.Psnr;

    /// <inheritdoc/>
    public override PairedScore Result => _model.Count == 0 ? throw new ArgumentException("there are no pictures to judge on")
        : PairedScore.Mean(Metric, [.. _reference], [.. _model],
            new ScoreDetail("SSIM", _referenceLikeness / _model.Count, _modelLikeness / _model.Count), new ScoreDetail("PSNR of bicubic enlargement", null, _bicubic / _model.Count, Metric.Unit));

    /// <summary>The metric for a model that gives one picture for one picture; null for any other, and for data without targets.</summary>
    public static PictureMetric? TryFor(IModelRunner model, DataSet data)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(data);
        return data.TargetScale is { } scale && OutputOf(model) is { } output ? new(data, output.Name, scale) : null;
    }

    /// <summary>The only output where it holds pictures, as the only input does; else null.</summary>
    internal static ValueInfo? OutputOf(IModelRunner model) =>
        model.Inputs is [var input] && PictureInput.TryFrom(input) is { Rank: 4, IsNhwc: false } && model.Outputs is [{ Type: ElementType.Float32, Shape: { Rank: 4 } shape } output]
        && (!shape[1].IsKnown || shape[1].Length is 1 or 3) ? output : null;

    /// <inheritdoc/>
    public override void Add(IReadOnlyDictionary<string, Tensor> reference, IReadOnlyDictionary<string, Tensor> model, SampleBatch batch)
    {
        Tensor expected = reference[output], actual = model[output];
        if (expected.Rank != 4 || expected.Shape[1] is not (1 or 3))
            throw new InvalidDataException($"output '{output}' is {expected}, expected pictures [N, 1 or 3, H, W]: --metric psnr is for models that give pictures");
        for (int row = 0; row < batch.Count; row++)
        {
            int index = batch.First + row;
            LumaPlane target = TargetOf(index, expected);
            LumaPlane first = LumaPlane.Of(expected.Rows(row, 1)).Without(scale), second = LumaPlane.Of(actual.Rows(row, 1)).Without(scale);
            _reference.Add(first.Psnr(target));
            _model.Add(second.Psnr(target));
            _referenceLikeness += first.Ssim(target);
            _modelLikeness += second.Ssim(target);
            _bicubic += Bicubic(index, (int)expected.Shape[2], (int)expected.Shape[3]).Psnr(target);
        }
    }

    private LumaPlane Bicubic(int index, int height, int width) => LumaPlane.Of(ImageResizer.Resize(data.Read(index).Picture!, width, height, ResizeFilter.Bicubic), height, width).Without(scale);

    private LumaPlane TargetOf(int index, Tensor pictures)
    {
        Image target = data.ReadTarget(index) ?? throw new InvalidDataException($"{data.NameOf(index)}: has no picture to compare with; --reference DIR names a folder of the same pictures in high resolution");
        (int height, int width) = ((int)pictures.Shape[2], (int)pictures.Shape[3]);
        if (target.Height < height || target.Width < width || target.Height >= height + scale || target.Width >= width + scale)
        {
            throw new InvalidDataException($"{data.NameOf(index)}: the model gives {width} x {height} pixels, its reference has {target.Width} x {target.Height}, expected the same "
                + $"(up to {scale - 1} more): the references are of another enlargement, or of other pictures");
        }
        return LumaPlane.Of(target, height, width).Without(scale);
    }
}
