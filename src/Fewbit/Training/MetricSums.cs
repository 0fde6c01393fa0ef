using Fewbit.Evaluation;
using Fewbit.Tensors;

namespace Fewbit.Training;

/// <summary>Adds up metrics batch by batch.</summary>
/// <param name="loss">What training minimizes.</param>
internal sealed class MetricSums(LossOptions loss)
{
    private const int MostRanked = 5;
    private long _count, _first, _amongFirst, _pictures;
    private double _loss, _psnr, _ssim;
    private bool _isTokens;

    public TrainingMetrics Result
    {
        get
        {
            if (_count == 0) throw new ArgumentException("there are no samples to judge by");
            double mean = _loss / _count;
            if (!loss.IsForClasses) return new(_count, mean) { Psnr = _pictures == 0 ? null : _psnr / _pictures, Ssim = _pictures == 0 ? null : _ssim / _pictures };
            return new(_count, mean) { Top1 = (double)_first / _count, Top5 = (double)_amongFirst / _count, Perplexity = _isTokens && loss.Kind == LossKind.CrossEntropy ? Math.Exp(mean) : null };
        }
    }

    /// <summary>Takes in a batch.</summary>
    /// <param name="output">The model's first output.</param>
    /// <param name="target">What it should have been.</param>
    public void Add(Tensor output, Tensor target)
    {
        if (loss.IsForClasses) AddScores(output, target);
        else if (loss.Kind == LossKind.KullbackLeibler) AddProbabilities(output, target);
        else AddNumbers(output, target);
    }

    private void AddScores(Tensor output, Tensor target)
    {
        ReadOnlySpan<long> classes = target.Span<long>();
        ReadOnlySpan<float> scores = output.Span<float>();
        int width = scores.Length / Math.Max(1, classes.Length);
        _isTokens = target.Rank > 1;
        for (int i = 0; i < classes.Length; i++)
        {
            ReadOnlySpan<float> row = scores.Slice(i * width, width);
            int wanted = (int)classes[i];
            double entropy = Scores.LogSumExp(row) - row[wanted];
            _loss += loss.Kind == LossKind.Focal ? entropy * Math.Pow(-double.ExpM1(-entropy), loss.FocalGamma) : entropy;
            if (Scores.ArgMax(row) == wanted) _first++;
            if (Scores.IsAmongFirst(row, wanted, MostRanked)) _amongFirst++;
        }
        _count += classes.Length;
    }

    private void AddProbabilities(Tensor output, Tensor target)
    {
        ReadOnlySpan<float> scores = output.Span<float>(), probabilities = target.Span<float>();
        int width = (int)output.Shape[output.Rank == 3 ? 2 : 1];
        for (int start = 0; start < scores.Length; start += width)
        {
            ReadOnlySpan<float> row = scores.Slice(start, width);
            double sum = Scores.LogSumExp(row);
            for (int i = 0; i < width; i++)
            {
                double p = probabilities[start + i];
                if (p > 0) _loss += p * (Math.Log(p) - row[i] + sum);
            }
            _count++;
        }
    }

    private void AddNumbers(Tensor output, Tensor target)
    {
        ReadOnlySpan<float> numbers = output.Span<float>(), wanted = target.Span<float>();
        int samples = (int)output.Shape[0], length = numbers.Length / Math.Max(1, samples);
        for (int i = 0; i < samples; i++)
        {
            ReadOnlySpan<float> a = numbers.Slice(i * length, length), b = wanted.Slice(i * length, length);
            _loss += MeanLoss(a, b);
            if (output.Rank != 4) continue;
            _pictures++;
            _psnr += PictureQuality.Psnr(a, b);
            _ssim += PictureQuality.Ssim(a, b, (int)output.Shape[1], (int)output.Shape[2], (int)output.Shape[3]);
        }
        _count += samples;
    }

    private double MeanLoss(ReadOnlySpan<float> output, ReadOnlySpan<float> target)
    {
        double sum = 0;
        for (int i = 0; i < output.Length; i++)
        {
            double distance = Math.Abs((double)output[i] - target[i]), width = loss.HuberWidth;
            sum += loss.Kind switch
            {
                LossKind.MeanSquared => distance * distance,
                LossKind.MeanAbsolute => distance,
                LossKind.Quantile => distance * (target[i] > output[i] ? loss.Quantile : 1 - loss.Quantile),
                _ => distance <= width ? distance * distance / 2 : width * (distance - width / 2),
            };
        }
        return sum / output.Length;
    }
}
